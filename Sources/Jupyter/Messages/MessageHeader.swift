public import Memory
public import Wire

/// The fields of a message's header that we look at.
public struct MessageHeader: Sendable {
  /// `msg_id`, empty where there is none (a parent header is `{}` in messages that answer nothing).
  public let identifier: String
  /// `msg_type`.
  public let type: String
  /// `date` as the kernel stamped it: the contents of a JSON string, still escaped.
  public let date: Bytes

  /// Reads a header, or a parent header.
  ///
  /// - Throws: `JSONError` where the bytes are not a JSON object.
  public init(_ bytes: Bytes) throws(JSONError) {
    var identifier = "", type = "", date = Bytes()
    try JSONSlice.parse(bytes).forEachMember { key, value in
      switch key {
      case "msg_id": identifier = value.string ?? ""
      case "msg_type": type = value.string ?? ""
      case "date": date = value.stringContents
      default: break
      }
    }
    self.identifier = identifier
    self.type = type
    self.date = date
  }
}
