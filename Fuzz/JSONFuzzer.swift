import Bytes
@testable import Wire

/// Parses any bytes as JSON and compares the result with that of a simple checker. Quotes them as text, too.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJSON(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = fuzzInput(start, count)
  let depth = 8
  let slice = try? JSONSlice.parse(input, maximumDepth: depth)
  var checker = PlainChecker(bytes: [UInt8](input), maximumDepth: depth)
  check((slice != nil) == checker.isSound(), "\(slice == nil ? "refused" : "accepted"), unlike the checker")
  if let slice { checkSlice(slice, depth: depth) }
  checkQuoting(String(input))
  if slice == nil, let repaired = try? JSONSlice.parseRepairingText(input, maximumDepth: depth) {
    checkSlice(repaired, depth: depth)
  }
  return 0
}

/// Every part must be valid JSON itself, and nothing may be lost.
private func checkSlice(_ slice: JSONSlice, depth: Int) {
  check((try? JSONSlice.parse(slice.bytes, maximumDepth: depth)) == slice, "a slice that is not sound")
  let line = slice.asciiLine
  check(!line.contains { $0 == 0x0A || $0 == 0x0D || $0 >= 0x80 }, "a line that is not one of ASCII")
  let again = try? JSONSlice.parse(line)
  check(again?.bytes.count == line.count, "a line of ASCII that is not sound")
  if let text = slice.text { check(again?.text == text, "text that changes") }
  _ = (slice.integer, slice.bool, slice.ascii(atMost: 8), slice.excerpt(atMost: 8))
  if slice.kind == .string { checkString(slice) }
  for element in slice.elements { checkSlice(element, depth: depth) }
  for (key, value) in slice.members {
    checkSlice(key, depth: depth)
    checkSlice(value, depth: depth)
    check(
      key.text.flatMap { slice[String($0)] } != nil || key.bytes.contains(0x5C), "a member that is not found")
  }
}

private func checkString(_ slice: JSONSlice) {
  let text = slice.text ?? Bytes()
  check((try? JSONSlice.parse(JSONString.quote(text)))?.text == text, "text that changes by quoting")
  let contents = slice.stringContents
  let plain = JSONString.withoutTerminalControls(contents: contents)
  let shorter = [
    plain, JSONString.dropEnclosingQuotes(contents: contents), JSONString.join(lines: [contents, plain]),
  ]
  for contents in shorter {
    var buffer = ByteBuffer("\"".utf8)
    buffer.append(contents)
    buffer.append(UInt8(ascii: "\""))
    check((try? JSONSlice.parse(buffer.takeAll()))?.kind == .string, "contents that are not sound")
  }
  check(!contents.isEmpty || plain.isEmpty, "text out of nothing")
}

private func checkQuoting(_ text: String) {
  let slice = try? JSONSlice.parse(JSONString.quote(text))
  check(slice.map { $0.text ?? Bytes() } == Bytes(text), "text that changes by quoting")
}

extension Bytes {
  fileprivate func contains(_ byte: UInt8) -> Bool { contains { $0 == byte } }

  fileprivate func contains(where isWanted: (UInt8) -> Bool) -> Bool {
    (0..<count).contains { isWanted(self[$0]) }
  }
}

/// The grammar of RFC 8259, without optimizations.
private struct PlainChecker {
  let bytes: [UInt8]
  let maximumDepth: Int
  var index = 0

  init(bytes: [UInt8], maximumDepth: Int) {
    self.bytes = bytes
    self.maximumDepth = maximumDepth
  }

  mutating func isSound() -> Bool {
    guard String(validating: bytes, as: UTF8.self) != nil else { return false }
    space()
    guard value(0) else { return false }
    space()
    return index == bytes.count
  }

  private var next: Character? { index < bytes.count ? Character(Unicode.Scalar(bytes[index])) : nil }

  private mutating func take(_ characters: String) -> Bool {
    guard let next, characters.contains(next) else { return false }
    index += 1
    return true
  }

  private mutating func word(_ word: String) -> Bool {
    for character in word where !take(String(character)) { return false }
    return true
  }

  private mutating func space() { while take(" ") || take("\n") || take("\r") || take("\t") {} }

  private mutating func value(_ depth: Int) -> Bool {
    switch next {
    case "{": return list("}", depth) { $0.string() && $0.colon() && $0.value(depth + 1) }
    case "[": return list("]", depth) { $0.value(depth + 1) }
    case "\"": return string()
    case "t": return word("true")
    case "f": return word("false")
    case "n": return word("null")
    default: return number()
    }
  }

  private mutating func list(_ end: String, _ depth: Int, _ item: (inout PlainChecker) -> Bool) -> Bool {
    guard depth < maximumDepth else { return false }
    index += 1
    space()
    if take(end) { return true }
    while true {
      space()
      guard item(&self) else { return false }
      space()
      if take(end) { return true }
      guard take(",") else { return false }
    }
  }

  private mutating func colon() -> Bool {
    space()
    guard take(":") else { return false }
    space()
    return true
  }

  private mutating func string() -> Bool {
    guard take("\"") else { return false }
    while index < bytes.count {
      if take("\"") { return true }
      if take("\\") {
        if take("\"\\/bfnrt") { continue }
        guard take("u") else { return false }
        for _ in 0..<4 where !take("0123456789abcdefABCDEF") { return false }
        continue
      }
      guard bytes[index] >= 0x20 else { return false }
      index += 1
    }
    return false
  }

  private mutating func number() -> Bool {
    _ = take("-")
    if !take("0") { guard digits() else { return false } }
    if take(".") { guard digits() else { return false } }
    if take("eE") {
      _ = take("+-")
      return digits()
    }
    return true
  }

  private mutating func digits() -> Bool {
    guard take("0123456789") else { return false }
    while take("0123456789") {}
    return true
  }
}
