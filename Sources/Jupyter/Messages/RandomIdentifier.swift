/// Unique identifiers that cannot be guessed.
public enum RandomIdentifier {
  /// 128 random bits in hexadecimal, 8-4-4-4-12 as UUIDs are written (version 4).
  public static func make() -> String {
    let high = (UInt64.random(in: .min ... .max) & ~0xF000) | 0x4000
    let low = (UInt64.random(in: .min ... .max) & ~(3 << 62)) | (2 << 62)
    let digits = hexadecimal(high) + hexadecimal(low)
    var result = ""
    for (index, digit) in digits.enumerated() {
      if [8, 12, 16, 20].contains(index) { result.append("-") }
      result.append(digit)
    }
    return result
  }

  private static func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
