import Bytes

/// The layout of kernel messages in the parts of ZeroMQ messages: routing identities, a delimiter, the signature, four parts
/// of JSON that it covers, and buffers, which are not kept.
///
/// https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol
enum ZeroMQFraming {
  private static let delimiter: Bytes = "<IDS|MSG>"
  private static var longestHeader: Int { MessageHeader.longestLength }

  /// A message with its signature, which is not checked yet.
  struct Signed: Sendable, Equatable {
    /// Routing identities; on iopub the topic.
    let identities: [Bytes]
    /// HMAC-SHA256 in hexadecimal.
    let signature: Bytes
    /// The message, in slices of what was received.
    let frame: KernelFrame

    /// The parts that the signature covers.
    var signedParts: [Bytes] { ZeroMQFraming.signedParts(of: frame) }
  }

  /// The message in `parts`, not checked yet.
  static func decode(_ parts: [Bytes], from channel: KernelChannelName) throws(KernelFramingError) -> Signed {
    guard let index = parts.firstIndex(of: delimiter) else {
      throw KernelFramingError("A kernel message has no delimiter")
    }
    guard parts.count >= index + 6 else { throw KernelFramingError("A kernel message has too few parts") }
    // Before the signature is checked, as that takes time in proportion to the length.
    guard parts[index + 2].count <= longestHeader, parts[index + 3].count <= longestHeader else {
      throw KernelFramingError("A kernel message has a header of more than \(longestHeader) bytes")
    }
    let frame = KernelFrame(
      channel: channel, header: parts[index + 2], parentHeader: parts[index + 3], metadata: parts[index + 4],
      content: parts[index + 5])
    return Signed(identities: Array(parts[..<index]), signature: parts[index + 1], frame: frame)
  }

  /// The parts of the message for `frame`.
  ///
  /// - Parameter sign: returns the signature over the parts in order, in hexadecimal.
  static func encode(_ frame: KernelFrame, sign: ([Bytes]) -> Bytes) -> [Bytes] {
    let signed = signedParts(of: frame)
    return [delimiter, sign(signed)] + signed
  }

  private static func signedParts(of frame: KernelFrame) -> [Bytes] {
    [frame.header, frame.parentHeader, frame.metadata, frame.content]
  }
}
