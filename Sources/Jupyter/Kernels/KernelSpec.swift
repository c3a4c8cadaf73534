import Bytes

/// A kind of kernel that is installed.
///
/// https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs
public struct KernelSpec: Sendable, Equatable {
  /// The name of the kernelspec: `python3`, `bash`, `deno`.
  public let name: String
  /// The name to show to users.
  let displayName: String
  /// The language that it declares, in lower case; ASCII.
  public let language: String

  /// In bytes. No known kernel or language has a longer name.
  public static let longestName = 200

  /// Names a kind of kernel; `name` and `language` must be ASCII.
  init(name: String, displayName: String, language: String) {
    self.name = name
    self.displayName = displayName
    self.language = language.lowercased()
  }

  /// True for the same kind. Display names are compared as bytes.
  public static func == (left: KernelSpec, right: KernelSpec) -> Bool {
    left.name == right.name && left.language == right.language
      && left.displayName.hasSameBytes(as: right.displayName)
  }
}
