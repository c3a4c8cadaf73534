import Bytes
import Wire

/// The layouts from before there were subprotocols. A message without buffers is a text message: one JSON object. A message
/// with buffers is a binary one: the number of parts (the JSON included), the offset of each, the JSON, the buffers. The
/// numbers are big-endian, of 32 bits.
enum LegacyLayout {
  static func decodeText(_ text: Bytes) throws(KernelFramingError) -> KernelFrame {
    try frame(from: text)
  }

  static func decodeBinary(_ frame: Bytes) throws(KernelFramingError) -> KernelFrame {
    try self.frame(from: frame[try partRanges(frame)[0]])
  }

  static func encode(_ frame: KernelFrame) -> [Bytes] {
    [
      Bytes(#"{"channel":"\#(frame.channel.rawValue)","header":"#), frame.header,
      #","parent_header":"#, frame.parentHeader,
      #","metadata":"#, frame.metadata,
      #","content":"#, frame.content,
      #","buffers":[]}"#,
    ]
  }

  private static func frame(from text: Bytes) throws(KernelFramingError) -> KernelFrame {
    var name, header, parentHeader, metadata, content: JSONSlice?
    // One pass, as the content may be long.
    try object(text).forEachMember { key, value in
      switch key {
      case "channel": name = value
      case "header": header = value
      case "parent_header": parentHeader = value
      case "metadata": metadata = value
      case "content": content = value
      default: break
      }
    }
    guard let channel = KernelChannelName.allCases.first(where: { name?.isString($0.rawValue) == true })
    else {
      throw KernelFramingError("A kernel message has no channel, or an unknown one")
    }
    guard let header, header.kind == .object else {
      throw KernelFramingError("A kernel message has no header")
    }
    return KernelFrame(
      channel: channel, header: header.bytes, parentHeader: part(parentHeader),
      metadata: part(metadata), content: part(content))
  }

  private static func object(_ text: Bytes) throws(KernelFramingError) -> JSONSlice {
    let json: JSONSlice
    do throws(JSONError) {
      json = try JSONSlice.parseRepairingText(text)
    } catch {
      throw KernelFramingError("A kernel message is not JSON: \(error)")
    }
    guard json.kind == .object else { throw KernelFramingError("A kernel message is not a JSON object") }
    return json
  }

  /// A part that is absent or null counts as empty.
  private static func part(_ part: JSONSlice?) -> Bytes {
    guard let part, !part.isNull else { return "{}" }
    return part.bytes
  }

  private static func partRanges(_ frame: Bytes) throws(KernelFramingError) -> [Range<Int>] {
    try frame.withSpan { (span) throws(KernelFramingError) in
      let words = span.count / 4
      guard words > 0 else { throw KernelFramingError("A kernel message has a wrong number of parts") }
      let count = number(in: span, at: 0)
      guard count >= 1, count < words else {
        throw KernelFramingError("A kernel message has a wrong number of parts")
      }
      var ranges: [Range<Int>] = []
      ranges.reserveCapacity(count)
      var least = 4 * (count + 1)
      for index in 1...count {
        let start = number(in: span, at: 4 * index)
        let end = index == count ? span.count : number(in: span, at: 4 * (index + 1))
        guard start >= least, end >= start, end <= span.count else {
          throw KernelFramingError("A kernel message has a part that lies outside of it")
        }
        ranges.append(start..<end)
        least = end
      }
      return ranges
    }
  }

  private static func number(in span: Span<UInt8>, at index: Int) -> Int {
    Int(UInt32(bigEndian: span.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt32.self)))
  }
}
