import DequeModule
import Logging
import Loop
import Memory

/// The way to a kernel of our own: its ZeroMQ sockets, all messages signed and checked.
///
/// `stdin` is not connected: every request of ours says that nobody is there to be asked.
///
/// https://jupyter-client.readthedocs.io/en/stable/messaging.html#introduction
@LoopActor
final class ZeroMQKernelChannel: KernelChannel {
  /// How long the last words of a dead kernel may be on their way when its sockets do not end with it, because a
  /// child of it holds them.
  private static let lastWordsLimit: Duration = .milliseconds(100)
  /// Between the end of iopub's connection and the end of shell's, which come in one go.
  private static let settlingTime: Duration = .milliseconds(1)

  /// A kernel that has closed its sockets is about to end. One that lives on after this has lost them.
  private static let lossLimit: Duration = .seconds(10)

  private let sockets: ZeroMQKernelSockets
  private let inbox: ZeroMQInbox
  private let authentication: MessageAuthentication
  private let logger: Logger
  private let lossLimit: Duration
  private var unclaimed = Deque<Message>()
  private var questions: [String: Exchange] = [:]
  private var death: String?
  private var isDisconnected = false
  private var hasHeardLastWords = false

  /// Makes the sockets and begins to connect them.
  ///
  /// - Parameter keepsOutput: see `LocalKernelSpec`.
  /// - Throws: `UVError`.
  init(
    to connection: ConnectionInfo, in context: ZeroMQContext, keepsOutput: Bool,
    lossLimit: Duration = lossLimit, logger: Logger
  ) throws(UVError) {
    self.lossLimit = lossLimit
    authentication = MessageAuthentication(key: Bytes(connection.key))
    self.logger = logger
    sockets = try ZeroMQKernelSockets(to: connection, in: context, keepsOutput: keepsOutput)
    // What the kernel said while it ran comes before what it replied in the end.
    inbox = ZeroMQInbox([sockets.iopub, sockets.shell])
    LoopActor.task { await self.listenToControl() }
  }

  /// Waits until the kernel is there, and its output is heard from now on. Called once, before `next`.
  ///
  /// - Throws: `UVError.cancelled` when the channel is closed, `CancellationError`.
  func untilConnected() async throws {
    while try await sockets.monitor.next() != .connected {}
    LoopActor.task { await self.watchConnection() }
  }

  func send(_ request: KernelRequest) async throws {
    let parts = ZeroMQFraming.encode(request.frame, sign: authentication.signature(of:))
    switch request.channel {
    case .shell: try await sockets.shell.send(parts)
    case .control: try await sockets.control.send(parts)
    default: throw UVError.notConnected
    }
  }

  /// Sends a request on `control` and waits for the reply, whether anybody calls `next` or not.
  ///
  /// - Throws: `UVError.cancelled` when the channel is closed, `CancellationError`.
  func ask(_ request: KernelRequest) async throws {
    let question = Exchange { _ in true }
    questions[request.identifier] = question
    defer { questions[request.identifier] = nil }
    try await send(request)
    try await question.end()
  }

  func next() async throws -> KernelEvent {
    while true {
      if let message = unclaimed.popFirst() { return .message(message) }
      if let received = try await inbox.receive() {
        let channel: KernelChannelName = received.source == 0 ? .iopub : .shell
        if let message = try await message(in: received.parts, from: channel) { return .message(message) }
      } else if let death {
        if hasHeardLastWords { return .died(death) }
        try await awaitLastWords()
      } else if isDisconnected {
        try await awaitEnd()
      } else {
        try await inbox.untilReadable()
      }
    }
  }

  /// The process has ended: `next` says so behind all that it had sent before.
  func kernelDied(_ how: String) {
    death = how
    inbox.wake()
  }

  /// Nothing is sent or heard any more but requests on `control`: the kernel is asked to end after this.
  func close() async { sockets.closeAllButControl() }

  /// Closes all, without waiting. Idempotent.
  func abort() {
    sockets.close()
    for question in questions.values { question.finish(.failure(UVError.cancelled)) }
  }

  /// Checks who sent it before anything of it is believed. What somebody else sent is as good as not sent.
  private func message(in parts: [Bytes], from channel: KernelChannelName) async throws -> Message? {
    do {
      let signed = try ZeroMQFraming.decode(parts, from: channel)
      guard try await authentication.check(signed.signature, of: signed.signedParts) else {
        throw KernelFramingError("A kernel message has a wrong signature")
      }
      let frame = signed.frame
      return try Message(
        channel: channel, header: frame.header, parentHeader: frame.parentHeader, metadata: frame.metadata,
        content: frame.content)
    } catch let error as CancellationError {
      throw error
    } catch {
      logger.warning("message dropped", metadata: ["channel": "\(channel)", "reason": "\(error)"])
      return nil
    }
  }

  /// The kernel's output has ended; the news of its death should follow.
  private func awaitEnd() async throws {
    do {
      try await withDeadline(lossLimit) { try await self.inbox.untilReadable() }
    } catch is DeadlineExceeded {
      if isDisconnected, death == nil { throw UVError.connectionReset }
    }
  }

  /// All that a dead kernel had sent is in the sockets' buffers: ZeroMQ's thread has read it when it sees their end.
  private func awaitLastWords() async throws {
    if isDisconnected {
      try await EventLoop.sleep(for: Self.settlingTime)
      hasHeardLastWords = true
      return
    }
    do {
      try await withDeadline(Self.lastWordsLimit) { try await self.inbox.untilReadable() }
    } catch is DeadlineExceeded {
      hasHeardLastWords = true
    }
  }

  private func watchConnection() async {
    while let event = try? await sockets.monitor.next() {
      isDisconnected = event == .disconnected
      inbox.wake()
    }
  }

  private func listenToControl() async {
    while let parts = try? await sockets.control.next() {
      guard let message = try? await message(in: parts, from: .control) else { continue }
      if let question = questions[message.parentIdentifier] {
        question.finish(.success(()))
      } else {
        unclaimed.append(message)
        inbox.wake()
      }
    }
  }
}
