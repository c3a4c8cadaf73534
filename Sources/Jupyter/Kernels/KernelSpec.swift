/// A kind of kernel that is installed.
///
/// https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs
public struct KernelSpec: Sendable, Equatable {
  /// The name that it is started by: `python3`, `bash`, `deno`.
  public let name: String
  /// The name for people.
  public let displayName: String
  /// The language that it declares, in lower case.
  public let language: String

  /// Names a kind of kernel.
  public init(name: String, displayName: String, language: String) {
    self.name = name
    self.displayName = displayName
    self.language = language.lowercased()
  }
}
