public import Bytes

/// Encodes messages and commands of ZMTP.
///
/// https://rfc.zeromq.org/spec/23/ "Framing"
public enum ZMTPFrame {
  /// A message of these parts. Long parts are not copied.
  public static func encode(_ parts: [Bytes]) -> [Bytes] {
    var message = GatherBuffer()
    for (index, part) in parts.enumerated() {
      appendHeader(flags: index < parts.count - 1 ? ZMTPHeader.more : 0, length: part.count, to: &message)
      message.append(part)
    }
    return message.takeAll()
  }

  /// The READY command, with our socket type and routing identity.
  ///
  /// - Parameter identity: at most 255 bytes; empty lets the router choose.
  public static func encodeReady(_ type: ZMTPSocketType, identity: Bytes = Bytes()) -> [Bytes] {
    var body = GatherBuffer()
    appendProperty("Socket-Type", Bytes(type.rawValue), to: &body)
    if type == .dealer || type == .router { appendProperty("Identity", identity, to: &body) }
    return command("READY", body.takeAll())
  }

  /// The response to a ping.
  public static func encodePong(_ context: Bytes) -> [Bytes] { command("PONG", [context]) }

  private static func command(_ name: String, _ data: [Bytes]) -> [Bytes] {
    var frame = GatherBuffer()
    let length = 1 + name.utf8.count + data.byteCount
    appendHeader(flags: ZMTPHeader.command, length: length, to: &frame)
    frame.append(UInt8(truncatingIfNeeded: name.utf8.count))
    frame.append(name)
    for piece in data { frame.append(piece) }
    return frame.takeAll()
  }

  private static func appendProperty(_ name: String, _ value: Bytes, to body: inout GatherBuffer) {
    body.append(UInt8(truncatingIfNeeded: name.utf8.count))
    body.append(name)
    body.append(bigEndian: UInt64(value.count), byteCount: 4)
    body.append(value)
  }

  private static func appendHeader(flags: UInt8, length: Int, to frame: inout GatherBuffer) {
    if length <= 255 {
      frame.append(flags)
      frame.append(UInt8(length))
    } else {
      frame.append(flags | ZMTPHeader.long)
      frame.append(bigEndian: UInt64(length), byteCount: 8)
    }
  }
}
