import Wire

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
  /// Any other type.
  case other = ""

  /// The type that `value` names.
  init(_ value: JSONSlice) {
    self = Self.allCases.first { value.isString($0.rawValue) } ?? .other
  }
}
