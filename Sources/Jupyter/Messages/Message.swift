import Bytes
public import Wire

/// A message of a kernel. Its parts are slices of the received bytes.
public struct Message: Sendable {
  /// The channel that it came on.
  public let channel: KernelChannelName
  /// Its own header.
  public let header: MessageHeader
  /// The `msg_id` of the request that it belongs to; empty if it answers none.
  let parentIdentifier: MessageIdentifier
  /// The length of `content` and `metadata`, in bytes.
  let payloadLength: Int
  private let parsed: Result<JSONSlice, JSONError>

  /// Reads the headers and `content`. In `content`, bytes that are not UTF-8 become U+FFFD.
  ///
  /// - Throws: `MessageError` if a header is malformed.
  init(
    channel: KernelChannelName, header: Bytes, parentHeader: Bytes, metadata: Bytes, content: Bytes
  ) throws(MessageError) {
    self.channel = channel
    self.header = try MessageHeader(header)
    self.parentIdentifier = try MessageHeader.identifier(inParentHeader: parentHeader)
    payloadLength = content.count + metadata.count
    self.parsed = Result { () throws(JSONError) in try JSONSlice.parseRepairingText(content) }
  }

  /// The message in `frame`.
  ///
  /// - Throws: `MessageError`.
  init(_ frame: KernelFrame) throws(MessageError) {
    try self.init(
      channel: frame.channel, header: frame.header, parentHeader: frame.parentHeader,
      metadata: frame.metadata, content: frame.content)
  }

  /// `content`: a JSON object if the kernel keeps to the protocol.
  ///
  /// - Throws: `JSONError` if it is not JSON.
  public func content() throws(JSONError) -> JSONSlice { try parsed.get() }
}
