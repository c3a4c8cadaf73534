/// Why a provider could not do what it was asked.
public enum KernelProviderError: Error, CustomStringConvertible {
  /// It does not answer, or not as it should.
  case unavailable(String)
  /// It answers, and refuses.
  case refused(String)
  /// It has no such kernel any more.
  case kernelIsGone
  /// The kernel did not get ready.
  case kernelDidNotStart(String)
  /// There is no such directory for it to work in.
  case noDirectory(String)

  /// What to tell a person.
  public var description: String {
    switch self {
    case .unavailable(let reason): reason
    case .refused(let reason): reason
    case .kernelIsGone: "the kernel is gone"
    case .kernelDidNotStart(let reason): "the kernel did not start: \(reason)"
    case .noDirectory(let path): "Working directory \(path) does not exist"
    }
  }
}
