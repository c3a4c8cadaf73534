/// What a frame begins with: a byte of flags and the length of its body, in one byte or in eight.
///
/// https://rfc.zeromq.org/spec/23/ "Framing"
struct ZMTPHeader: FrameHeader {
  static let more: UInt8 = 1
  static let long: UInt8 = 2
  static let command: UInt8 = 4

  /// A command to the other side of the connection, not a part of a message.
  let isCommand: Bool
  /// Another part of the same message comes behind.
  let isFollowed: Bool
  /// How many bytes the body has.
  let bodyLength: UInt64
  /// How many bytes the header itself takes.
  let length: Int

  static func parse(_ span: Span<UInt8>) throws(ZMTPError) -> ZMTPHeader? {
    guard span.count >= 1 else { return nil }
    let flags = span[0]
    guard flags & ~(more | long | command) == 0 else { throw invalid("A frame has unknown flags") }
    let isCommand = flags & command != 0
    guard !isCommand || flags & more == 0 else { throw invalid("A command is to be continued") }
    let isLong = flags & long != 0
    let length = isLong ? 9 : 2
    guard span.count >= length else { return nil }
    return ZMTPHeader(
      isCommand: isCommand, isFollowed: flags & more != 0, bodyLength: span.bigEndian(1..<length),
      length: length)
  }

  private static func invalid(_ message: String) -> ZMTPError { ZMTPError(.invalidFrame, message) }
}
