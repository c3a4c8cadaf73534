import Bytes
import Wire

/// Media types as fields carry them (RFC 9110, 8.3.1).
enum MediaType {
  /// True for `application/json` and types that are JSON by their suffix, with or without parameters.
  static func isJSON(_ field: Bytes?) -> Bool {
    // RFC 6838, 4.2: the names before and behind the slash have at most 127 characters each.
    guard
      let type = field?.prefix(upTo: UInt8(ascii: ";")).trimming({ $0 == 0x20 || $0 == 0x09 })
        .ascii(atMost: 255)?.lowercased()
    else { return false }
    return type == "application/json" || (type.hasPrefix("application/") && type.hasSuffix("+json"))
  }
}
