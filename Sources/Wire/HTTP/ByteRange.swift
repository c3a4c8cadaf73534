public import Bytes

/// What a `Range` field asks for of a representation (RFC 9110, 14.2).
public enum ByteRange: Sendable, Equatable {
  /// All of it (200): there is no range, or one that is not understood and so must be passed over, or several, which
  /// a server may answer with the whole.
  case whole
  /// These bytes (206), at least one.
  case part(Range<Int64>)
  /// Nothing that exists (416).
  case unsatisfiable

  /// What `value` asks for of a representation of `size` bytes. Numbers of any length are taken.
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

  /// The number that `digits` are, or the largest where it is larger.
  private static func number(_ digits: Bytes) -> Int64 { Int64(String(digits)) ?? .max }
}
