/// The header of a frame: a byte of flags, and the length of the body in one byte or in eight.
///
/// https://rfc.zeromq.org/spec/23/ "Framing"
struct ZMTPHeader: FrameHeader {
  static let more: UInt8 = 1
  static let long: UInt8 = 2
  static let command: UInt8 = 4

  /// A command, not a part of a message.
  let isCommand: Bool
  /// Another part of the same message follows.
  let isFollowed: Bool
  /// The length of the body, in bytes.
  let bodyLength: UInt64
  /// The length of the header itself, in bytes.
  let length: Int

  static func parse(_ span: Span<UInt8>) throws(ZMTPError) -> ZMTPHeader? {
    guard span.count >= 1 else { return nil }
    let flags = span[0]
    guard flags & ~(more | long | command) == 0 else { throw invalid("A frame has unknown flags") }
    let isCommand = flags & command != 0
    guard !isCommand || flags & more == 0 else { throw invalid("A command has the MORE flag") }
    let isLong = flags & long != 0
    let length = isLong ? 9 : 2
    guard span.count >= length else { return nil }
    return ZMTPHeader(
      isCommand: isCommand, isFollowed: flags & more != 0, bodyLength: span.bigEndian(1..<length),
      length: length)
  }

  private static func invalid(_ message: String) -> ZMTPError { ZMTPError(.invalidFrame, message) }
}
