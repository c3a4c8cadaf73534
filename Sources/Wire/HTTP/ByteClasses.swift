/// The classes of bytes of RFC 9110 and RFC 9112. Masks decide them instead of tables, which would be read from memory.
extension UInt8 {
  static let carriageReturn: UInt8 = 0x0D
  static let lineFeed: UInt8 = 0x0A
  static let space: UInt8 = 0x20
  static let tab: UInt8 = 0x09
  static let colon: UInt8 = 0x3A

  /// tchar: a byte of a method or field name (RFC 9110, 5.6.2).
  @inline(__always)
  var isToken: Bool {
    // Below 64 ! # $ % & ' * + - . and digits, above it letters and ^ _ ` | ~.
    let low: UInt64 = 0x03FF_6CFA_0000_0000
    let high: UInt64 = 0x57FF_FFFF_C7FF_FFFE
    guard self < 128 else { return false }
    return ((self < 64 ? low : high) >> UInt64(self & 63)) & 1 == 1
  }

  /// A byte of a field's value: visible characters, obs-text, space and tab (RFC 9110, 5.5).
  @inline(__always)
  var isFieldContent: Bool { (self >= 0x20 && self != 0x7F) || self == 0x09 }

  /// A byte of a request target: visible ASCII except `#`, which is never sent. `curl` sends bytes beyond ASCII as they
  /// were typed, so they are allowed in targets that are UTF-8.
  @inline(__always)
  var isTarget: Bool { self > 0x20 && self != 0x7F && self != 0x23 }

  @inline(__always)
  var isBlank: Bool { self == 0x20 || self == 0x09 }

  /// True for an ASCII digit.
  @inline(__always)
  public var isDigit: Bool { self >= 0x30 && self <= 0x39 }

  @inline(__always)
  var isLetter: Bool { (self | 0x20) >= 0x61 && (self | 0x20) <= 0x7A }

  @inline(__always)
  var lowercased: UInt8 { self >= 0x41 && self <= 0x5A ? self | 0x20 : self }

  /// The value of a hexadecimal digit.
  @inline(__always)
  var hexadecimalValue: UInt8? {
    switch self {
    case 0x30...0x39: self - 0x30
    case 0x41...0x46: self - 0x41 + 10
    case 0x61...0x66: self - 0x61 + 10
    default: nil
    }
  }
}
