import TestLoop
import Logging

import Bytes
import Testing
import Wire

@testable import Jupyter
@testable import Loop

/// The kernel's end of the connections, controlled by tests.
@LoopActor
struct FakeKernel {
  let connection: ConnectionInfo
  let channel: ZeroMQChannel
  let shell: ZMTPConnection
  let control: ZMTPConnection
  let iopub: ZMTPConnection
  private let context: ZeroMQContext?
  private let directory: TemporaryDirectory
  private let authentication: MessageAuthentication

  /// A kernel with a channel that receives what it publishes.
  init(
    _ implementation: ZeroMQImplementation, keepsOutput: Bool, lossLimit: Duration,
    limits: KernelLimits = KernelLimits()
  ) async throws {
    context = implementation == .direct ? nil : try ZeroMQContext()
    directory = try TemporaryDirectory(prefix: "fake-kernel-")
    connection = ConnectionInfo(.local(pathPrefix: "\(directory.path)/kernel"))
    authentication = MessageAuthentication(key: Bytes(connection.key))
    let sockets = try await FakeKernelSockets(connection)
    let accepting = Task { try await sockets.accept() }
    do {
      channel = try await ZeroMQChannel.open(
        connection, by: context.map { .library($0) } ?? .direct, keepsOutput: keepsOutput,
        limits: limits, lossLimit: lossLimit,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      (iopub, shell, control) = try await accepting.value
    } catch {
      accepting.cancel()
      await sockets.close()
      await context?.close()
      await directory.remove()
      throw error
    }
    await sockets.close()
  }

  /// Its end of a connection.
  func connection(of channel: KernelChannelName) -> ZMTPConnection {
    switch channel {
    case .iopub: iopub
    case .control: control
    default: shell
    }
  }

  /// Receives a request and replies.
  func answer(on socket: ZMTPConnection) async throws {
    let parts = try await socket.next()
    let signed = try ZeroMQFraming.decode(parts, from: .shell)
    #expect(authentication.isValid(signed.signature, of: signed.signedParts))
    try await socket.send(signed.identities + encode("reply", parent: signed.frame.header))
  }

  func publish(_ type: String, content: Bytes = "{}") async throws {
    try await iopub.send(["topic"] + encode(type, content: content))
  }

  func encode(_ type: String, parent: Bytes = "{}", content: Bytes = "{}") -> [Bytes] {
    ZeroMQFraming.encode(
      KernelFrame(
        channel: .iopub,
        header: Bytes(#"{"msg_id":"\#(type.replacing(" ", with: "_"))","msg_type":"\#(type)"}"#),
        parentHeader: parent,
        content: content), sign: authentication.signature(of:))
  }

  func close() async {
    for connection in [iopub, shell, control] { connection.close() }
    channel.abort()
    await context?.close()
    await directory.remove()
  }
}

/// Where a fake kernel listens.
@LoopActor
private struct FakeKernelSockets {
  private var listeners: [Listener] = []

  init(_ connection: ConnectionInfo) async throws {
    for port in [ConnectionInfo.Port.iopub, .shell, .control] {
      guard case .path(let path) = connection.endpoint(port) else { throw UVError.invalidArgument }
      listeners.append(try Listener.bind(path: path))
    }
  }

  /// Accepts connections and does their handshake, first on iopub with its subscription.
  func accept() async throws -> (iopub: ZMTPConnection, shell: ZMTPConnection, control: ZMTPConnection) {
    let iopub = try await accept(0, as: .publisher)
    #expect(try await iopub.next() == [[1]].map { Bytes($0 as [UInt8]) })
    return (iopub, try await accept(1, as: .router), try await accept(2, as: .router))
  }

  func close() async {
    for listener in listeners { await listener.close() }
  }

  private func accept(_ index: Int, as type: ZMTPSocketType) async throws -> ZMTPConnection {
    let connection = ZMTPConnection(try await listeners[index].accept(), as: type)
    try await connection.shakeHands()
    return connection
  }
}

extension KernelEvent {
  /// `iopub:stream`, from the identifier, which is the type here, or how the kernel died.
  var summary: String {
    switch self {
    case .message(let message): "\(message.channel):\(message.header.identifier)".replacing("_", with: " ")
    case .lost(let loss): "lost \(loss.bytes)"
    case .died(let how): how
    }
  }
}
