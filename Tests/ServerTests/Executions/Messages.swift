@testable import Jupyter
import Bytes

/// Messages as a kernel sends them.
enum Messages {
  static func iopub(_ type: String, _ content: String) throws -> Message {
    try message(.iopub, type, content)
  }

  static func shell(_ type: String, _ content: String) throws -> Message {
    try message(.shell, type, content)
  }

  static func status(_ state: String) throws -> Message {
    try iopub("status", "{\"execution_state\": \"\(state)\"}")
  }

  static func reply(_ content: String = #"{"status": "ok", "execution_count": 3}"#) throws -> Message {
    try shell("execute_reply", content)
  }

  private static func message(_ channel: KernelChannelName, _ type: String, _ content: String) throws
    -> Message
  {
    let header = #"{"msg_id": "k1", "msg_type": "\#(type)", "date": "2026-01-02T03:04:05.678901Z"}"#
    return try Message(
      KernelFrame(
        channel: channel, header: Bytes(header), parentHeader: #"{"msg_id": "c1"}"#, metadata: "{}",
        content: Bytes(content)))
  }
}
