public import Bytes
import Loop
import Wire

/// The fields of a message's header that are used.
public struct MessageHeader: Sendable {
  /// How long a header may be, in bytes. Most have 200; a header is read on the loop.
  static let longestLength = 16 << 10
  /// How long a date may be, in bytes. One of RFC 3339 takes 32. It is repeated in every line that the client gets.
  static let longestDate = 64

  /// `msg_id`, empty if there is none: the parent header of a message that answers no request is `{}`.
  let identifier: MessageIdentifier
  /// `session`: each process of a kernel has its own, unless it repeats its client's. `none` if it is malformed.
  let session: MessageIdentifier
  /// `msg_type`.
  public let type: MessageType
  /// `date` as the kernel stamped it: the contents of a JSON string, still escaped.
  public let date: Bytes

  /// Reads a header.
  ///
  /// - Throws: `MessageError` if the bytes are not a JSON object, or a field is malformed.
  init(_ bytes: Bytes) throws(MessageError) {
    var identifier: MessageIdentifier? = MessageIdentifier.none
    var session = MessageIdentifier.none
    var type = MessageType.other
    var date = Bytes()
    try Self.parse(bytes).forEachMember { key, value in
      switch key {
      case "msg_id": identifier = MessageIdentifier(value)
      case "msg_type": type = MessageType(value)
      case "date": date = value.stringContents
      case "session": session = MessageIdentifier(value) ?? .none
      default: break
      }
    }
    guard let identifier else { throw MessageError("its msg_id is not an identifier") }
    guard date.count <= Self.longestDate, date.isASCII else { throw MessageError("its date is malformed") }
    self.identifier = identifier
    self.type = type
    // jjava sends no such date.
    self.date = date.isEmpty || date.isInternetDate ? date : Bytes(Timestamp.format(WallClock.now()))
    self.session = session
  }

  /// The `msg_id` of a parent header, `none` if there is none. A parent header repeats what its receiver has sent, so nothing
  /// else of it is read.
  ///
  /// - Throws: `MessageError` if the bytes are not a JSON object, or the `msg_id` is malformed.
  static func identifier(inParentHeader bytes: Bytes) throws(MessageError) -> MessageIdentifier {
    guard let value = try parse(bytes)["msg_id"] else { return .none }
    guard let identifier = MessageIdentifier(value) else {
      throw MessageError("its msg_id is not an identifier")
    }
    return identifier
  }

  private static func parse(_ bytes: Bytes) throws(MessageError) -> JSONSlice {
    guard bytes.count <= longestLength else { throw MessageError("its header is too long") }
    do throws(JSONError) { return try JSONSlice.parse(bytes) } catch {
      throw MessageError("its header is not JSON: \(error)")
    }
  }
}

/// Why a kernel's message is discarded.
struct MessageError: Error, Equatable, Sendable, CustomStringConvertible {
  /// One line, without any text from the kernel.
  let description: String

  init(_ reason: String) { description = "A kernel message is discarded: \(reason)" }
}

extension Bytes {
  /// True if the text has the form of RFC 3339, section 5.6, up to the time zone: `2026-01-02T03:04:05…`, then `Z` or
  /// `+01:00`.
  fileprivate var isInternetDate: Bool {
    let form: StaticString = "dddd-dd-ddTdd:dd:dd"
    let length = form.utf8CodeUnitCount
    guard count > length else { return false }
    let isInForm = form.withUTF8Buffer { form in
      (0..<length).allSatisfy { form[$0] == UInt8(ascii: "d") ? self[$0].isDigit : self[$0] == form[$0] }
    }
    if self[count - 1] == UInt8(ascii: "Z") { return isInForm }
    return isInForm && count >= length + 6 && self[count - 3] == UInt8(ascii: ":")
  }
}

/// The `msg_type` of a message, by its name in the protocol.
///
/// https://jupyter-client.readthedocs.io/en/stable/messaging.html
public enum MessageType: String, Sendable, CaseIterable {
  case stream
  case status
  case displayData = "display_data"
  case updateDisplayData = "update_display_data"
  case executeInput = "execute_input"
  case executeResult = "execute_result"
  case executeReply = "execute_reply"
  case error
  case clearOutput = "clear_output"
  case kernelInfoReply = "kernel_info_reply"
  case inputRequest = "input_request"
  /// Any other type.
  case other = ""

  /// The type that `value` names.
  init(_ value: JSONSlice) {
    self = Self.allCases.first { value.isString($0.rawValue) } ?? .other
  }
}
