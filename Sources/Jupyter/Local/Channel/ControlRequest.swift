import Loop
import Memory

/// Requests that do not wait behind the code that runs.
enum ControlRequest: String {
  /// The kernel shall end, by itself.
  case shutdown = "shutdown_request"
  /// What runs shall end; for kernels that do not want a signal.
  case interrupt = "interrupt_request"

  /// The request, ready to be sent.
  @LoopActor
  func make() -> KernelRequest {
    let identifier = RandomIdentifier.make()
    let header = """
      {"msg_id":"\(identifier)","session":"\(identifier)","username":"code-interpreter",\
      "date":"\(Timestamp.now())","msg_type":"\(rawValue)","version":"\(MessageSession.protocolVersion)"}
      """
    let content: Bytes = self == .shutdown ? #"{"restart":false}"# : "{}"
    return KernelRequest(
      identifier: identifier, channel: .control, header: Bytes(header), metadata: "{}", content: content)
  }
}
