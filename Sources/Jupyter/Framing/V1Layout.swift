import Bytes

/// The layout of `v1.kernel.websocket.jupyter.org`: the number of offsets, the offsets, and the parts that they point to. All
/// numbers are little-endian, of 64 bits. The last offset is the end of the message.
enum V1Layout {
  /// The channel, four parts of JSON, and the end.
  private static let fewestOffsets = 6

  static func decode(_ frame: Bytes) throws(KernelFramingError) -> KernelFrame {
    let ranges = try partRanges(frame)
    guard let channel = KernelChannelName(frame[ranges[0]]) else {
      throw KernelFramingError("A kernel message has an unknown channel")
    }
    return KernelFrame(
      channel: channel, header: frame[ranges[1]], parentHeader: frame[ranges[2]], metadata: frame[ranges[3]],
      content: frame[ranges[4]])
  }

  static func encode(_ frame: KernelFrame) -> [Bytes] {
    let channel = Bytes(frame.channel.rawValue)
    let parts = [channel, frame.header, frame.parentHeader, frame.metadata, frame.content]
    var offset = UInt64(8 * (parts.count + 2))
    var front = ByteBuffer()
    front.reserve(Int(offset) + channel.count)
    append(UInt64(parts.count + 1), to: &front)
    for part in parts {
      append(offset, to: &front)
      offset += UInt64(part.count)
    }
    append(offset, to: &front)
    return [front.takeAll()] + parts
  }

  private static func partRanges(_ frame: Bytes) throws(KernelFramingError) -> [Range<Int>] {
    try frame.withSpan { (span) throws(KernelFramingError) in
      let words = span.count / 8
      guard words > 0, let count = number(in: span, at: 0), count >= fewestOffsets, count < words else {
        throw KernelFramingError("A kernel message has a wrong number of parts")
      }
      var ranges: [Range<Int>] = []
      ranges.reserveCapacity(count - 1)
      var start = try offset(in: span, at: 8, notBelow: 8 * (count + 1))
      for index in 2...count {
        let end = try offset(in: span, at: 8 * index, notBelow: start)
        ranges.append(start..<end)
        start = end
      }
      guard start == span.count else { throw KernelFramingError("A kernel message has trailing bytes") }
      return ranges
    }
  }

  private static func offset(
    in span: Span<UInt8>, at index: Int, notBelow least: Int
  ) throws(KernelFramingError) -> Int {
    guard let offset = number(in: span, at: index), offset >= least, offset <= span.count else {
      throw KernelFramingError("A kernel message has a part that lies outside of it")
    }
    return offset
  }

  private static func number(in span: Span<UInt8>, at index: Int) -> Int? {
    Int(exactly: UInt64(littleEndian: span.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)))
  }

  private static func append(_ number: UInt64, to buffer: inout ByteBuffer) {
    for shift in stride(from: UInt64(0), to: 64, by: 8) {
      buffer.append(UInt8(truncatingIfNeeded: number >> shift))
    }
  }
}
