import Bytes
import Wire

/// The parts of the URL of a Jupyter server.
struct ServerURL {
  let isSecure: Bool
  let host: String
  let port: UInt16
  /// The path without a slash at its end.
  let basePath: String
  /// The query's `token`.
  let token: String?

  /// In bytes. Browsers accept no more either.
  private static let longestURL = 2048

  /// - Throws: `InvalidServerURL`.
  init(_ url: String) throws {
    guard url.utf8.count <= Self.longestURL, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw InvalidServerURL("", "it is too long, or has characters other than visible ASCII")
    }
    guard let scheme = url.firstRange(of: "://") else {
      throw InvalidServerURL(url, "it does not begin with http:// or https://")
    }
    switch url[..<scheme.lowerBound].lowercased() {
    case "http", "ws": isSecure = false
    case "https", "wss": isSecure = true
    default: throw InvalidServerURL(url, "only http and https are supported")
    }
    let rest = url[scheme.upperBound...].prefix { $0 != "#" }
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let path = rest[authority.endIndex...].prefix { $0 != "?" }
    let (host, port) = try Self.split(authority, of: url)
    self.host = host
    self.port = port ?? (isSecure ? 443 : 80)
    self.basePath = path.last == "/" ? String(path.dropLast()) : String(path)
    self.token = Self.token(in: rest[path.endIndex...].dropFirst())
  }

  private static func split(_ authority: Substring, of url: String) throws -> (host: String, port: UInt16?) {
    guard !authority.contains("@") else {
      throw InvalidServerURL(url, "a user name is not supported; give a token")
    }
    var host = authority.prefix { $0 != ":" }
    var rest = authority[host.endIndex...]
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else {
        throw InvalidServerURL(url, "its [ is not closed")
      }
      host = authority[..<end].dropFirst()
      rest = authority[end...].dropFirst()
    }
    guard !host.isEmpty else { throw InvalidServerURL(url, "it names no host") }
    if rest.isEmpty { return (String(host), nil) }
    guard rest.hasPrefix(":"), let port = UInt16(rest.dropFirst()), port > 0 else {
      throw InvalidServerURL(url, "its port is not a number from 1 to 65535")
    }
    return (String(host), port)
  }

  private static func token(in query: Substring) -> String? {
    for item in query.split(separator: "&") where item.hasPrefix("token=") {
      return (try? RequestTarget.decode(Bytes(item.dropFirst("token=".count)))).map(String.init)
    }
    return nil
  }
}

/// A URL that does not name a server.
struct InvalidServerURL: Error, CustomStringConvertible {
  /// What is wrong with it.
  let description: String

  /// Leaves out the query, which may hold the token, and a password.
  init(_ url: String, _ reason: String) {
    let shown = url.prefix { $0 != "?" }.split(separator: "@").last ?? ""
    description = "'\(shown)' is not the URL of a Jupyter server: \(reason)"
  }
}
