import Bytes
import Wire

/// A name that `Host` may have besides local ones: `box.example.com`, or `*.example.com` for all names below
/// `example.com`.
public struct AllowedHost: Sendable, Equatable {
  /// Lowercase. A leading dot stands for all names that end so.
  private let name: String

  /// Parses `text`; nil if it is no name, or has a port.
  public init?(_ text: String) {
    let bytes = Bytes(text)
    let isSuffix = bytes.hasPrefix("*.")
    guard let host = HTTPHost(isSuffix ? bytes[2...] : bytes), host.port == nil, host.isName else {
      return nil
    }
    name = isSuffix ? "." + host.relativeName : host.relativeName
  }

  func allows(_ host: HTTPHost) -> Bool {
    let isSuffix = name.utf8.first == UInt8(ascii: ".")
    return isSuffix ? host.relativeName.hasSuffix(name) : host.relativeName == name
  }
}
