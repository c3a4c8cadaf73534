import Loop
import Bytes

/// Requests that do not wait behind the code that runs.
enum ControlRequest: String {
  /// The kernel shall end, by itself.
  case shutdown = "shutdown_request"
  /// What runs shall end; for kernels that do not want a signal.
  case interrupt = "interrupt_request"

  /// The request, ready to be sent.
  @LoopActor
  func make() -> KernelRequest {
    let content: Bytes = self == .shutdown ? #"{"restart":false}"# : "{}"
    return MessageSession().make(rawValue, on: .control, content: content)
  }
}
