import Loop
import Bytes
import Wire

/// Finds the handler of a method and a path.
///
/// A pattern is a path whose parts may be names in braces: `/contexts/{id}` matches any one part that is not empty,
/// `/files/{path...}` the whole rest, which may be empty or have slashes.
public struct Router: Sendable {
  private typealias Methods = [String: HTTPServer.Handler]

  private struct Pattern: Sendable {
    let parts: [Part]
    var methods: Methods
  }

  private enum Part: Sendable, Equatable {
    case literal(Bytes)
    case name(String)
    case rest(String)

    init(_ text: Bytes) {
      guard text.hasPrefix("{"), text.hasSuffix("}") else {
        self = .literal(text)
        return
      }
      let name = text[1..<text.count - 1]
      self = name.hasSuffix("...") ? .rest(String(name[0..<name.count - 3])) : .name(String(name))
    }
  }

  /// Paths without names.
  private var literals: [Bytes: Methods] = [:]
  private var patterns: [Pattern] = []

  /// A router without routes.
  public init() {}

  /// Gives requests for `pattern` with `method` to `handler`. A handler of `GET` answers `HEAD` too.
  public mutating func on(_ method: String, _ pattern: String, _ handler: @escaping HTTPServer.Handler) {
    let parts = Self.parts(of: Bytes(pattern)).map(Part.init)
    let isLiteral = parts.allSatisfy { if case .literal = $0 { true } else { false } }
    if isLiteral {
      literals[Bytes(pattern), default: [:]][method] = handler
    } else if let index = patterns.firstIndex(where: { $0.parts == parts }) {
      patterns[index].methods[method] = handler
    } else {
      patterns.append(Pattern(parts: parts, methods: [method: handler]))
    }
  }

  /// Calls the handler of a request. Throws `HTTPErrorResponse` 404 and 405, and what the handler throws.
  @LoopActor
  public func handle(_ request: Request, _ response: ResponseWriter) async throws {
    try await handler(for: request)(request, response)
  }

  @LoopActor
  private func handler(for request: Request) throws -> HTTPServer.Handler {
    let path = request.target.path
    if let methods = literals[path] { return try choose(from: methods, for: request.method) }
    let parts = Self.parts(of: path)
    for pattern in patterns {
      guard let parameters = try match(parts, pattern.parts) else { continue }
      request.parameters = parameters
      return try choose(from: pattern.methods, for: request.method)
    }
    // A path may have more percent-encoding than needed.
    if path.firstIndex(of: UInt8(ascii: "%")) != nil, let methods = literals[try request.target.decodedPath()]
    {
      return try choose(from: methods, for: request.method)
    }
    throw HTTPErrorResponse(404, "There is nothing at \(path)")
  }

  private func choose(from methods: Methods, for method: String) throws -> HTTPServer.Handler {
    if let handler = methods[method] ?? (method == "HEAD" ? methods["GET"] : nil) { return handler }
    var allowed = Set(methods.keys)
    if allowed.contains("GET") { allowed.insert("HEAD") }
    let list = allowed.sorted().joined(separator: ", ")
    throw HTTPErrorResponse(405, "\(method) is not allowed here. Allowed: \(list)", fields: ["Allow": list])
  }

  /// The parameters if a path matches a pattern, else nil.
  private func match(_ parts: [Bytes], _ pattern: [Part]) throws -> [String: Bytes]? {
    var parameters: [String: Bytes] = [:]
    for (index, expected) in pattern.enumerated() {
      guard index < parts.count else { return nil }
      switch expected {
      case .rest(let name):
        parameters[name] = try RequestTarget.decode(Bytes.join(Array(parts[index...]), separator: "/"))
        return parameters
      case .name(let name):
        guard !parts[index].isEmpty else { return nil }
        parameters[name] = try RequestTarget.decode(parts[index])
      case .literal(let text):
        guard try RequestTarget.decode(parts[index]) == text else { return nil }
      }
    }
    return parts.count == pattern.count ? parameters : nil
  }

  private static func parts(of path: Bytes) -> [Bytes] {
    path[1...].split(separator: UInt8(ascii: "/"))
  }
}
