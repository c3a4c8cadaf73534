import Bytes
import Wire

/// A name that requests may be sent to besides those that are local anyway: `box.example.com`, or `*.example.com` for all
/// names below `example.com`.
public struct AllowedHost: Sendable, Equatable {
  /// In small letters; begins with a dot where it stands for all names that end so.
  private let name: String

  /// Parses `text`; nil where it is no such name.
  public init?(_ text: String) {
    let bytes = Bytes(text)
    let isSuffix = bytes.hasPrefix("*.")
    guard let host = HTTPHost(isSuffix ? bytes[2...] : bytes), host.port == nil, host.isName else {
      return nil
    }
    name = isSuffix ? "." + host.relativeName : host.relativeName
  }

  /// True where `host` is one of its names.
  func allows(_ host: HTTPHost) -> Bool {
    let isSuffix = name.utf8.first == UInt8(ascii: ".")
    return isSuffix ? host.relativeName.hasSuffix(name) : host.relativeName == name
  }
}
