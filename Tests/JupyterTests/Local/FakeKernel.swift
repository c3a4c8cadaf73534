import Logging
import Loop
import Memory
import Testing

@testable import Jupyter

/// The kernel's end of the sockets, for tests that say what it says.
@LoopActor
struct FakeKernel {
  let context: ZeroMQContext
  let connection: ConnectionInfo
  let directory: TemporaryDirectory
  let shell: ZeroMQSocket
  let control: ZeroMQSocket
  let iopub: ZeroMQSocket
  let authentication: MessageAuthentication

  init() throws {
    context = try ZeroMQContext()
    directory = try TemporaryDirectory(prefix: "fake-kernel-")
    connection = ConnectionInfo(.local(pathPrefix: "\(directory.path)/kernel"))
    authentication = MessageAuthentication(key: Bytes(connection.key))
    shell = try ZeroMQSocket(.router, in: context)
    control = try ZeroMQSocket(.router, in: context)
    iopub = try ZeroMQSocket(.publisher, in: context)
    try shell.bind(to: connection.endpoint(.shell))
    try control.bind(to: connection.endpoint(.control))
    try iopub.bind(to: connection.endpoint(.iopub))
  }

  /// A channel to it, which hears what is published from now on.
  func channel(
    keepsOutput: Bool = false, lossLimit: Duration = .seconds(60)
  ) async throws -> ZeroMQKernelChannel {
    let channel = try ZeroMQKernelChannel(
      to: connection, in: context, keepsOutput: keepsOutput, lossLimit: lossLimit,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try await channel.untilConnected()
    // The subscription is on its way before this question is, and the publisher takes it before it answers.
    let request = ControlRequest.interrupt.make()
    let answering = Task { try await answer(on: control) }
    try await channel.ask(request)
    try await answering.value
    return channel
  }

  /// Takes a request and replies to it.
  func answer(on socket: ZeroMQSocket) async throws {
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
        channel: .iopub, header: Bytes(#"{"msg_id":"x","msg_type":"\#(type)"}"#), parentHeader: parent,
        content: content), sign: authentication.signature(of:))
  }

  func close() async {
    await context.close()
    await directory.remove()
  }
}

extension KernelEvent {
  /// `iopub:stream`, or how the kernel died.
  var summary: String {
    switch self {
    case .message(let message): "\(message.channel):\(message.header.type)"
    case .died(let how): how
    }
  }
}
