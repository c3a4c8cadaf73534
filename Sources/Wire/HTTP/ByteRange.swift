public import Bytes

/// The part of a representation that a `Range` field asks for (RFC 9110, 14.2).
public enum ByteRange: Sendable, Equatable {
  /// All of it (200): no range; a malformed one, which must be ignored; or several, which a server may ignore.
  case whole
  /// These bytes (206), at least one.
  case part(Range<Int64>)
  /// None of it (416).
  case unsatisfiable

  /// The part that `value` asks for, of `size` bytes. Numbers may have any length.
  public init(_ value: Bytes?, size: Int64) {
    self = value.flatMap { Self.parse($0, size: size) } ?? .whole
  }

  /// The value of `Content-Range` for this range: `bytes 0-4/10`, `bytes */10`; nil for the whole.
  public func contentRange(size: Int64) -> String? {
    switch self {
    case .whole: nil
    case .part(let range): "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
    case .unsatisfiable: "bytes */\(size)"
    }
  }

  private static func parse(_ value: Bytes, size: Int64) -> ByteRange? {
    guard let equals = value.firstIndex(of: UInt8(ascii: "=")),
      value[0..<equals].isEqual(ignoringCaseTo: "bytes")
    else { return nil }
    let specification = value[(equals + 1)...].trimmingBlanks()
    guard let dash = specification.firstIndex(of: UInt8(ascii: "-")) else { return nil }
    let first = specification[0..<dash]
    let last = specification[(dash + 1)...]
    guard first.allSatisfy(\.isDigit), last.allSatisfy(\.isDigit), !first.isEmpty || !last.isEmpty else {
      return nil
    }
    if first.isEmpty { return suffix(number(last), size: size) }
    return range(from: number(first), through: last.isEmpty ? .max : number(last), size: size)
  }

  private static func suffix(_ length: Int64, size: Int64) -> ByteRange {
    guard length > 0, size > 0 else { return .unsatisfiable }
    return .part(max(0, size - length)..<size)
  }

  private static func range(from first: Int64, through last: Int64, size: Int64) -> ByteRange? {
    guard first <= last else { return nil }
    guard first < size else { return .unsatisfiable }
    return .part(first..<min(last, size - 1) + 1)
  }

  /// The number, or the largest one if it is larger.
  private static func number(_ digits: Bytes) -> Int64 { Int64(String(digits)) ?? .max }
}
