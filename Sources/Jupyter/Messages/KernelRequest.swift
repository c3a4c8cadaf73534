import Bytes

/// A message to a kernel, ready to be framed for the wire.
public struct KernelRequest: Sendable {
  /// `msg_id`: the kernel repeats it in the parent header of all that belongs to the request.
  public let identifier: MessageIdentifier
  /// The channel that it is sent on.
  let channel: KernelChannelName
  /// The header, a JSON object.
  let header: Bytes
  /// The metadata, a JSON object.
  let metadata: Bytes
  /// The content, a JSON object.
  let content: Bytes

  /// How many bytes it has, without signature and framing.
  var length: Int { header.count + metadata.count + content.count }

  /// The request as it travels.
  var frame: KernelFrame {
    KernelFrame(channel: channel, header: header, metadata: metadata, content: content)
  }
}
