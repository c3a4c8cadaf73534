public import Loop
public import Bytes
import Wire

/// Makes the requests to one kernel.
///
/// https://jupyter-client.readthedocs.io/en/stable/messaging.html#general-message-format
@LoopActor
public final class MessageSession {
  /// The version of the messaging protocol that we speak.
  static let protocolVersion = "5.3"

  /// The session's identifier, unique to a client's connection.
  nonisolated let identifier: MessageIdentifier
  private var sent = 0

  /// A session with a random identifier.
  public nonisolated init() { identifier = MessageIdentifier(ours: RandomIdentifier.make()) }

  /// `kernel_info_request`. Every kernel answers it, so it shows whether the kernel takes requests.
  public func kernelInformation() -> KernelRequest {
    make("kernel_info_request", on: .shell, content: "{}")
  }

  /// Runs `code`, the contents of a JSON string, still escaped.
  ///
  /// `stop_on_error` is off: one execution is sent at a time, so there is nothing behind it to abort, and ipykernel
  /// would abort whatever reaches it in the moment after an error.
  /// - Parameters:
  ///   - isSilent: true for code that is not counted, not kept in the history and not announced.
  ///   - metadata: a JSON object, for kernels that know what it means.
  public func execution(of code: Bytes, isSilent: Bool = false, metadata: Bytes = "{}") -> KernelRequest {
    make(
      "execute_request", on: .shell, metadata: metadata, content: Self.content(of: code, isSilent: isSilent))
  }

  /// The same for code of any length: long code is copied on another thread.
  ///
  /// - Throws: `CancellationError`.
  public func execution(ofLong code: Bytes, metadata: Bytes) async throws -> KernelRequest {
    let content = try await Computation.run(over: code.count) { Self.content(of: code, isSilent: false) }
    return make("execute_request", on: .shell, metadata: metadata, content: content)
  }

  private nonisolated static func content(of code: Bytes, isSilent: Bool) -> Bytes {
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
      json.value(false)
      json.key("stop_on_error")
      json.value(false)
    }
    return json.takeAll()
  }

  /// Any request.
  func make(
    _ type: String, on channel: KernelChannelName, metadata: Bytes = "{}", content: Bytes
  ) -> KernelRequest {
    sent += 1
    let message = "\(identifier)_\(sent)"
    let header = """
      {"msg_id":"\(message)","session":"\(identifier)","username":"code-interpreter",\
      "date":"\(Timestamp.format(WallClock.now()))","msg_type":"\(type)","version":"\(Self.protocolVersion)"}
      """
    return KernelRequest(
      identifier: MessageIdentifier(ours: message), channel: channel, header: Bytes(header),
      metadata: metadata, content: content)
  }
}
