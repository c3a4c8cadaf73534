import Logging
import Loop
import Bytes
import Wire

/// A channel to a kernel through a Jupyter Server: one WebSocket for all of the kernel's channels.
///
/// https://jupyter-server.readthedocs.io/en/stable/developers/websocket-protocols.html
@LoopActor
final class WebSocketChannel: KernelChannel {
  private let socket: WebSocketConnection
  private let framing: WebSocketFraming
  private let logger: Logger
  private var discarded = DiscardedMessages()
  private var budget = TurnBudget()
  private let isForKeeping: Bool
  /// True after the kernel's first status. A later `starting` means that somebody has restarted it.
  private var hasStarted = false

  /// Connects to the kernel `identifier`.
  ///
  /// - Parameters:
  ///   - maximumMessageLength: how long a message of the kernel may be, in bytes.
  ///   - isForKeeping: true if many messages will wait for their reader. Each keeps the memory alive that it was read into,
  ///     of 4 KiB at least, so short ones are copied.
  /// - Throws: `UVError`, `TLSError`, `DeadlineExceeded`, `WebSocketError`.
  static func open(
    _ identifier: String, at location: ServerLocation, maximumMessageLength: Int, isForKeeping: Bool = false,
    logger: Logger
  ) async throws -> WebSocketChannel {
    let session = RandomIdentifier.make()
    let socket = try await WebSocketConnection.open(
      "\(location.basePath)/api/kernels/\(identifier)/channels?session_id=\(session)", at: location,
      subprotocol: WebSocketFraming.subprotocol, maximumMessageLength: maximumMessageLength)
    return WebSocketChannel(socket, isForKeeping: isForKeeping, logger: logger)
  }

  private init(_ socket: WebSocketConnection, isForKeeping: Bool, logger: Logger) {
    self.socket = socket
    self.isForKeeping = isForKeeping
    self.logger = logger
    self.framing = WebSocketFraming(subprotocol: socket.subprotocol)
  }

  func send(_ request: KernelRequest) async throws {
    let (pieces, isText) = framing.encode(request.frame)
    try await socket.send(pieces, isText: isText)
  }

  func next() async throws -> KernelEvent {
    while true {
      var received = try await socket.next()
      if isForKeeping, received.bytes.count < StreamLimits.readAhead {
        received.bytes = received.bytes.withSpan { Bytes(copying: $0) }
      }
      if budget.isSpent(by: received.bytes.count) { await Task.yield() }
      let framing = framing
      let (bytes, isText) = received
      let frame = try await Computation.run(over: isText ? bytes.count : 0) {
        try framing.decode(bytes, isText: isText)
      }
      do {
        let message = try await Computation.run(over: frame.content.count) { try Message(frame) }
        if let end = Self.end(in: message, hasStarted: &hasStarted) { return .died(end) }
        return .message(message)
      } catch let error as MessageError {
        discarded.note(error, on: frame.channel.rawValue, logger)
      }
    }
  }

  func close() async { await socket.close() }

  nonisolated static func end(in message: Message, hasStarted: inout Bool) -> String? {
    guard message.channel == .iopub, message.header.type == .status, let content = try? message.content()
    else { return nil }
    defer { hasStarted = true }
    return end(in: content, hasStarted: hasStarted)
  }

  /// How the kernel ended, if a status message says that it has. Servers that restart it send `restarting`; its state is lost
  /// all the same. The server that this process starts adds the exit code, as in Python's `Popen.returncode`. If another
  /// client has restarted the kernel, only the `starting` of the new one shows it, unless that is missed.
  nonisolated static func end(in content: JSONSlice, hasStarted: Bool) -> String? {
    switch content["execution_state"] {
    case "dead"?, "restarting"?: break
    case "starting"? where hasStarted: return Kernel.restartedByOthers
    default: return nil
    }
    guard let code = content["exit_code"]?.integer else { return "its process ended" }
    let number = Int(clamping: code.magnitude)
    return (code < 0 ? ExitStatus.signal(number) : .code(number)).description
  }
}
