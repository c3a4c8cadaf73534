import Jupyter
import Loop
import Bytes
import Wire

@testable import Jupyter

/// Starts fake kernels that answer `kernel_info_request` and can be ended, and counts calls.
@LoopActor
final class FakeKernelProvider: KernelProvider {
  let sharesFileSystem = true
  let overlapsKernels = true
  let startsInDirectory = true
  let startsWithEnvironment = true

  /// The latest channel of each kernel ever started.
  private(set) var channels: [String: FakeChannel] = [:]
  /// The kernels that have not been ended.
  private(set) var living: [String] = []
  /// Starts wait for this; nil for no wait.
  var gate: Promise<Void>?
  /// The number of warm kernels that have died unnoticed.
  var deadWarmKernels = 0
  /// The number of starts.
  private(set) var startCount = 0
  /// The number of reconnects.
  private(set) var reconnectCount = 0
  /// The number of interrupts.
  private(set) var interruptCount = 0
  /// What `interrupt` does.
  var onInterrupt: @LoopActor () -> Void = {}
  /// What `reconnect` does.
  var onReconnect: @LoopActor (String) throws -> FakeChannel = { _ in throw KernelProviderError.kernelIsGone }

  static let spec = KernelSpec(name: "fake", displayName: "Fake", language: "python")

  /// The session of the kernels' processes.
  var session = ""

  /// The kernelspec.
  var installed = [spec]

  func specs(maximumAge: Duration) async throws -> [KernelSpec] { installed }

  func start(
    _ spec: KernelSpec, in directory: String, environment: [String: String], isolation: KernelIsolation
  ) async throws -> KernelConnection {
    startCount += 1
    try await gate?.get()
    let identifier = "kernel-\(channels.count + 1)"
    let isWarm = deadWarmKernels > 0
    if isWarm { deadWarmKernels -= 1 }
    let channel = FakeChannel(isDoomed: isWarm)
    channel.session = session
    channels[identifier] = channel
    living.append(identifier)
    return KernelConnection(identifier: identifier, channel: channel, isWarm: isWarm)
  }

  func reconnect(_ identifier: String) async throws -> any KernelChannel {
    reconnectCount += 1
    let channel = try onReconnect(identifier)
    channels[identifier] = channel
    return channel
  }

  func interrupt(_ identifier: String) async throws {
    interruptCount += 1
    onInterrupt()
  }

  func shutDown(_ identifier: String, isBusy: Bool) async { await kill(identifier) }
  func kill(_ identifier: String) async { living.removeAll { $0 == identifier } }
  func close() async { living = [] }
}

/// A channel without a kernel. It answers `kernel_info_request` itself and leaves other requests to the test.
@LoopActor
final class FakeChannel: KernelChannel {
  /// The execute requests, in order.
  private(set) var executions: [KernelRequest] = []
  /// Called with each of them.
  var onExecution: (@LoopActor (KernelRequest) throws -> Void)?
  /// The session of the kernel's process.
  var session = ""
  /// The number of events taken.
  private(set) var takenCount = 0
  private var events: [Result<KernelEvent, UVError>] = []
  private var reader: CheckedContinuation<Void, Never>?
  /// Reports the end of the kernel instead of its first reply.
  private let isDoomed: Bool

  init(isDoomed: Bool = false) { self.isDoomed = isDoomed }

  func send(_ request: KernelRequest) async throws {
    if isDoomed { return deliver(.success(.died("killed by SIGKILL"))) }
    if request.frame.header.contains("execute_request") {
      executions.append(request)
      try onExecution?(request)
      return
    }
    try say(.iopub, "status", #"{"execution_state": "busy"}"#, to: request)
    try say(.shell, "kernel_info_reply", "{}", to: request)
    try say(.iopub, "status", #"{"execution_state": "idle"}"#, to: request)
  }

  /// Sends a message that belongs to a request.
  func say(
    _ channel: KernelChannelName, _ type: String, _ content: String, to request: KernelRequest
  ) throws {
    deliver(
      .success(
        .message(
          try Message(
            KernelFrame(
              channel: channel,
              header: Bytes(
                #"{"msg_id": "k", "session": "\#(session)", "msg_type": "\#(type)", "date": "2026-01-02T03:04:05.678901Z"}"#
              ),
              parentHeader: request.frame.header, metadata: "{}", content: Bytes(content))))))
  }

  /// The kernel accepts the code.
  func accept(_ request: KernelRequest) throws {
    try say(.iopub, "status", #"{"execution_state": "busy"}"#, to: request)
    try say(.iopub, "execute_input", #"{"execution_count": 1}"#, to: request)
  }

  /// The code prints `text`, which needs no escaping.
  func printText(_ text: String, to request: KernelRequest) throws {
    try say(.iopub, "stream", #"{"name": "stdout", "text": "\#(text)"}"#, to: request)
  }

  /// The kernel has run the code.
  func finish(_ request: KernelRequest, _ reply: String = #"{"status": "ok", "execution_count": 1}"#) throws {
    try say(.shell, "execute_reply", reply, to: request)
    try say(.iopub, "status", #"{"execution_state": "idle"}"#, to: request)
  }

  func next() async throws -> KernelEvent {
    while events.isEmpty { await withCheckedContinuation { reader = $0 } }
    takenCount += 1
    return try events.removeFirst().get()
  }

  func close() async {
    // The closure of a test holds the channel.
    onExecution = nil
    breakOff()
  }

  /// The kernel's process ends.
  func die() { deliver(.success(.died("killed by SIGKILL"))) }

  /// The connection to the kernel is lost.
  func breakOff() { deliver(.failure(.connectionReset)) }

  private func deliver(_ event: Result<KernelEvent, UVError>) {
    events.append(event)
    reader?.resume()
    reader = nil
  }
}
