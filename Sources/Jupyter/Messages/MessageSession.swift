public import Loop
public import Bytes
import Wire
import FoundationEssentials

/// Creates the requests to one kernel.
///
/// https://jupyter-client.readthedocs.io/en/stable/messaging.html#general-message-format
@LoopActor
public final class MessageSession {
  /// The version of the messaging protocol.
  static let protocolVersion: StaticString = "5.3"

  /// The session's identifier, unique to a client's connection.
  nonisolated let identifier: MessageIdentifier
  private var sent = 0

  /// A session with a random identifier.
  nonisolated init() { identifier = MessageIdentifier(ours: RandomIdentifier.make()) }

  /// `kernel_info_request`. Every kernel answers it, so the reply shows that the kernel takes requests.
  public func kernelInformation() -> KernelRequest {
    make("kernel_info_request", on: .shell, content: "{}")
  }

  /// Runs `code`, the contents of a JSON string, still escaped. Long code is copied on another thread.
  ///
  /// `stop_on_error` is off: one execution is sent at a time, so there is none to abort, and ipykernel would abort
  /// whatever arrives in the moment after an error.
  /// - Parameters:
  /// - metadata: a JSON object, for kernels that support it.
  ///   - allowsInput: true if the code may ask for input.
  /// - Throws: `CancellationError`.
  public func execution(
    of code: Bytes, metadata: Bytes = "{}", allowsInput: Bool = false
  ) async throws -> KernelRequest {
    let content = try await Computation.run(over: code.count) {
      Self.content(of: code, isSilent: false, allowsInput: allowsInput)
    }
    return make("execute_request", on: .shell, metadata: metadata, content: content)
  }

  /// Runs code of this program, which is not counted, not kept in the history and not announced.
  public func silentExecution(of code: String) -> KernelRequest {
    make(
      "execute_request", on: .shell,
      content: Self.content(of: JSONString.contents(of: code), isSilent: true))
  }

  /// Asks the kernel to end.
  func shutdown() -> KernelRequest {
    make("shutdown_request", on: .control, content: #"{"restart":false}"#)
  }

  /// Asks the kernel to interrupt its code, if its kernelspec's `interrupt_mode` is `message`.
  func interrupt() -> KernelRequest { make("interrupt_request", on: .control, content: "{}") }

  /// Answers an `input_request` of the kernel with `value`, the contents of a JSON string.
  ///
  /// https://jupyter-client.readthedocs.io/en/stable/messaging.html#messages-on-the-stdin-router-dealer-channel
  public func inputReply(_ value: Bytes) -> KernelRequest {
    var json = JSONWriter()
    json.object { json in
      json.key("value")
      json.value(contents: value)
      json.key("status")
      json.value(literal: "ok")
    }
    return make("input_reply", on: .stdin, content: json.takeAll())
  }

  private nonisolated static func content(
    of code: Bytes, isSilent: Bool, allowsInput: Bool = false
  ) -> Bytes {
    var json = JSONWriter()
    json.object { json in
      json.key("code")
      json.value(contents: code)
      json.key("silent")
      json.value(isSilent)
      json.key("store_history")
      json.value(!isSilent)
      json.key("user_expressions")
      json.object { _ in }
      json.key("allow_stdin")
      json.value(allowsInput)
      json.key("stop_on_error")
      json.value(false)
    }
    return json.takeAll()
  }

  /// Any request.
  func make(
    _ type: StaticString, on channel: KernelChannelName, metadata: Bytes = "{}", content: Bytes
  ) -> KernelRequest {
    sent += 1
    let message = MessageIdentifier(ours: "\(identifier)_\(sent)")
    var header = JSONWriter()
    header.object { json in
      json.key("msg_id")
      json.value(contents: message.bytes)
      json.key("session")
      json.value(contents: identifier.bytes)
      json.key("username")
      json.value(literal: "code-interpreter")
      json.key("date")
      json.value(contents: Bytes(Timestamp.format(WallClock.now())))
      json.key("msg_type")
      json.value(literal: type)
      json.key("version")
      json.value(literal: Self.protocolVersion)
    }
    return KernelRequest(
      identifier: message,
      frame: KernelFrame(channel: channel, header: header.takeAll(), metadata: metadata, content: content))
  }
}

/// A message to a kernel, ready to be framed for the wire.
public struct KernelRequest: Sendable {
  /// `msg_id`: the kernel repeats it in the parent header of all that belongs to the request.
  let identifier: MessageIdentifier
  /// The message as it travels.
  let frame: KernelFrame
}

/// Unique identifiers that cannot be guessed.
public enum RandomIdentifier {
  /// A random UUID (RFC 9562, version 4) in lower case.
  ///
  /// `UUID()` opens `/dev/urandom` each time: 40 µs of an execution, and a descriptor that may not be had. `getrandom(2)`
  /// needs neither.
  public static func make() -> String {
    var generator = SystemRandomNumberGenerator()
    return UUID.random(using: &generator).uuidString.lowercased()
  }
}
