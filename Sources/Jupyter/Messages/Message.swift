public import Memory
public import Wire

/// A message of a kernel. All its parts are slices of the memory that it was received into.
public struct Message: Sendable {
  /// Where it came from.
  public let channel: KernelChannelName
  /// Its own header.
  public let header: MessageHeader
  /// The `msg_id` of the request that it belongs to; empty where it answers none.
  public let parentIdentifier: String
  /// `metadata`: a JSON object, not parsed yet.
  public let metadata: Bytes
  /// `content`: a JSON object, not parsed yet.
  public let content: Bytes

  /// Reads the headers; `content` is left for whoever needs it.
  ///
  /// - Throws: `JSONError` where a header is not a JSON object.
  public init(
    channel: KernelChannelName, header: Bytes, parentHeader: Bytes, metadata: Bytes, content: Bytes
  ) throws(JSONError) {
    self.channel = channel
    self.header = try MessageHeader(header)
    self.parentIdentifier = try JSONSlice.parse(parentHeader)["msg_id"]?.string ?? ""
    self.metadata = metadata
    self.content = content
  }
}
