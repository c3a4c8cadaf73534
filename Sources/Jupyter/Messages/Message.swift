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
  init(_ frame: KernelFrame) throws(MessageError) {
    channel = frame.channel
    header = try MessageHeader(frame.header)
    parentIdentifier = try MessageHeader.identifier(inParentHeader: frame.parentHeader)
    payloadLength = frame.content.count + frame.metadata.count
    parsed = Result { () throws(JSONError) in try JSONSlice.parseRepairingText(frame.content) }
  }

  /// `content`: a JSON object if the kernel keeps to the protocol.
  ///
  /// - Throws: `JSONError` if it is not JSON.
  public func content() throws(JSONError) -> JSONSlice { try parsed.get() }
}
