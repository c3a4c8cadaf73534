import Loop
import Bytes

/// Requests on `control`, which do not wait for running code.
enum ControlRequest: String {
  /// Asks the kernel to shut down.
  case shutdown = "shutdown_request"
  /// Asks the kernel to interrupt its code, if its kernelspec's `interrupt_mode` is `message`.
  case interrupt = "interrupt_request"

  @LoopActor
  func make() -> KernelRequest {
    let content: Bytes = self == .shutdown ? #"{"restart":false}"# : "{}"
    return MessageSession().make(rawValue, on: .control, content: content)
  }
}
