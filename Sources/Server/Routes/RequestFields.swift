import HTTPServer
import Bytes
import Wire

/// The JSON object in a request's body. Errors name the field and what it should be.
struct RequestFields {
  /// The limit of members in an object of strings. Each takes some microseconds of the loop.
  private static let mostStrings = 4096

  private let object: JSONSlice

  /// - Parameter body: JSON text; if `allowsEmpty`, an empty body counts as `{}`.
  /// - Throws: `HTTPErrorResponse` 400 if the body is not JSON, 422 if it is not an object.
  init(_ body: Bytes, allowsEmpty: Bool = false) throws {
    do {
      object = try JSONSlice.parse(allowsEmpty && body.isEmpty ? "{}" : body)
    } catch {
      throw HTTPErrorResponse(400, "The body is not JSON: \(error)")
    }
    guard object.kind == .object else {
      throw HTTPErrorResponse(422, "The body should be a JSON object, with its fields by name")
    }
  }

  /// The contents of a required string, still escaped.
  func requiredContents(_ name: String) throws -> Bytes {
    guard let value = object[name] else { throw Self.wrong(name, "is missing; it should be a string") }
    guard value.kind == .string else { throw Self.wrong(name, "should be a string") }
    return value.stringContents
  }

  /// The contents, still escaped, of a string; nil if it is absent or null.
  func contents(_ name: String) throws -> Bytes? {
    guard let value = member(name) else { return nil }
    guard value.kind == .string else { throw Self.wrong(name, "should be a string or null") }
    guard !JSONString.hasLoneSurrogate(contents: value.stringContents) else {
      throw Self.wrong(name, "should be text, but contains a lone surrogate")
    }
    return value.stringContents
  }

  /// A string as UTF-8; nil if it is absent or null.
  func text(_ name: String) throws -> Bytes? {
    guard let value = member(name) else { return nil }
    guard let string = value.text else { throw Self.wrong(name, "should be a string or null") }
    return string
  }

  /// A number beyond zero; nil if it is absent or null.
  func positiveNumber(_ name: String) throws -> Double? {
    guard let value = member(name) else { return nil }
    guard let number = value.number, number > 0 else {
      throw Self.wrong(name, "should be a number beyond 0, or null")
    }
    return number
  }

  /// A whole number beyond zero; nil if it is absent or null.
  func positiveInteger(_ name: String) throws -> Int? {
    guard let value = member(name) else { return nil }
    guard let number = value.integer.flatMap(Int.init(exactly:)), number > 0 else {
      throw Self.wrong(name, "should be a whole number beyond 0, or null")
    }
    return number
  }

  /// `true` or `false`; nil if it is absent or null.
  func truth(_ name: String) throws -> Bool? {
    guard let value = member(name) else { return nil }
    guard let truth = value.bool else { throw Self.wrong(name, "should be true, false or null") }
    return truth
  }

  /// One of the cases of an enumeration; nil if it is absent or null.
  func choice<Choice: CaseIterable & RawRepresentable<String>>(_ name: String) throws -> Choice? {
    guard let value = member(name) else { return nil }
    guard let choice = Choice.allCases.first(where: { value.isString($0.rawValue) }) else {
      let list = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
      throw Self.wrong(name, "should be one of \(list), or null")
    }
    return choice
  }

  /// The object, as it was sent.
  var bytes: Bytes { object.bytes }

  /// The members of an object of strings, in any order; nil if it is absent or null. Of members with equal names the last
  /// counts.
  func strings(_ name: String) throws -> [(name: String, value: String)]? {
    guard let value = member(name) else { return nil }
    guard value.kind == .object else { throw Self.wrong(name, "should be an object of strings or null") }
    var result: [Bytes: (name: String, value: String)] = [:]
    var count = 0
    try value.forEachMember { rawKey, value in
      count += 1
      guard count <= Self.mostStrings else {
        throw Self.wrong(name, "should have at most \(Self.mostStrings) members")
      }
      let key = rawKey.text ?? Bytes()
      guard let string = value.text else { throw Self.wrong("\(name).\(key)", "should be a string") }
      guard ![value.stringContents, rawKey.stringContents].contains(where: JSONString.hasLoneSurrogate) else {
        throw Self.wrong("\(name).\(key)", "should be text, but contains a lone surrogate")
      }
      result[key] = (String(key), String(string))
    }
    return Array(result.values)
  }

  /// Environment variables, in any order; none if it is absent or null.
  func environment(_ name: String) throws -> [(name: String, value: String)] {
    let variables = try strings(name) ?? []
    for (variable, value) in variables {
      if variable.isEmpty { throw HTTPErrorResponse(422, "`\(name)` should have no empty name") }
      if variable.utf8.contains(UInt8(ascii: "=")) {
        throw HTTPErrorResponse(422, "`\(name).\(variable)` should have no `=` in its name")
      }
      if variable.utf8.contains(0) || value.utf8.contains(0) {
        throw HTTPErrorResponse(422, "`\(name).\(variable)` should have no NUL in its name or value")
      }
    }
    return variables
  }

  /// A member; nil if it is absent or null.
  private func member(_ name: String) -> JSONSlice? {
    guard let value = object[name], !value.isNull else { return nil }
    return value
  }

  private static func wrong(_ name: String, _ what: String) -> HTTPErrorResponse {
    HTTPErrorResponse(422, "`\(name)` \(what)")
  }
}
