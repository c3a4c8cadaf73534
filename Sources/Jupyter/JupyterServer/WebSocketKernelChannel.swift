import Loop
import Memory
import Wire

/// The way to a kernel through a Jupyter Server: one WebSocket for all its channels.
///
/// https://jupyter-server.readthedocs.io/en/stable/developers/websocket-protocols.html
@LoopActor
final class WebSocketKernelChannel: KernelChannel {
  private let socket: WebSocketConnection
  private let framing: KernelWebSocketFraming

  /// Connects to the kernel `identifier`.
  ///
  /// - Throws: `UVError`, `TLSError`, `DeadlineExceeded`, `WebSocketError`.
  static func open(_ identifier: String, at location: ServerLocation) async throws -> WebSocketKernelChannel {
    let session = RandomIdentifier.make()
    let socket = try await WebSocketConnection.open(
      "\(location.basePath)/api/kernels/\(identifier)/channels?session_id=\(session)", at: location,
      subprotocol: KernelWebSocketFraming.subprotocol)
    return WebSocketKernelChannel(socket)
  }

  private init(_ socket: WebSocketConnection) {
    self.socket = socket
    self.framing = KernelWebSocketFraming(subprotocol: socket.subprotocol)
  }

  func send(_ request: KernelRequest) async throws {
    let (pieces, isText) = try framing.encode(request.frame)
    try await socket.send(pieces, isText: isText)
  }

  func next() async throws -> KernelEvent {
    let received = try await socket.next()
    let frame = try framing.decode(received.bytes, isText: received.isText)
    let message = try Message(
      channel: frame.channel, header: frame.header, parentHeader: frame.parentHeader,
      metadata: frame.metadata,
      content: frame.content)
    if message.channel == .iopub, message.header.type == "status", let end = try Self.end(in: message.content)
    {
      return .died(end)
    }
    return .message(message)
  }

  func close() async { await socket.close() }

  /// How the kernel ended, where its server's status message says that it has. Servers that bring it back say
  /// `restarting`; its memory is gone all the same. Our own tells the exit code, as Python's `Popen.returncode`.
  nonisolated static func end(in content: Bytes) throws -> String? {
    let content = try JSONSlice.parse(content)
    switch content["execution_state"]?.string {
    case "dead", "restarting": break
    default: return nil
    }
    guard let code = content["exit_code"]?.integer else { return "its process ended" }
    let number = Int(clamping: code.magnitude)
    return (code < 0 ? ExitStatus.signal(number) : .code(number)).description
  }
}
