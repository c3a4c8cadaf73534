/// Why a provider could not do what it was asked.
public enum KernelProviderError: Error, CustomStringConvertible {
  /// It does not answer, or its answer is malformed.
  case unavailable(String)
  /// It answers, and refuses.
  case refused(String)
  /// It has no such kernel any more.
  case kernelIsGone
  /// The kernel did not answer in time, or ended.
  case kernelDidNotStart(String)
  /// The working directory does not exist.
  case noDirectory(String)

  /// The error in words.
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
