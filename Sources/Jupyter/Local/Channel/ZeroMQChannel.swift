import Logging
import Loop
import Bytes
import DequeModule

/// A channel to a kernel of this machine, over its ZeroMQ sockets. All messages are signed, and their signatures checked.
///
/// `stdin` is connected when an execution may ask for input.
///
/// https://jupyter-client.readthedocs.io/en/stable/messaging.html#introduction
@LoopActor
final class ZeroMQChannel: KernelChannel {
  /// How long to wait for the last messages of a dead kernel if its connections do not end with it, because a child process
  /// holds them.
  private static let drainLimit: Duration = .milliseconds(100)

  /// How many questions may wait here. Further ones wait in the kernel.
  private static let mostQuestions = 16

  /// A kernel that has closed a socket is about to end. If it still lives after this time, the socket is lost.
  private static let lossLimit: Duration = .seconds(10)

  private let sockets: KernelSockets
  private let inbox: KernelInbox
  private var budget = TurnBudget()
  private let limits: KernelLimits
  private let authentication: MessageAuthentication
  private let logger: Logger
  private let lossLimit: Duration
  private let hasEnded: @LoopActor () -> Bool
  /// The request that was sent when the kernel's process had already ended.
  private var missedRequest: MessageIdentifier?
  private var pendingReplies: [MessageIdentifier: Promise<Result<Void, any Error>>] = [:]
  /// The identifier of the last request on `shell`.
  private var lastRequest: MessageIdentifier?
  private var death: String?
  /// When a connection was first seen to have ended although the kernel was not known to be dead.
  private var lossTime: UInt64?
  private var isControlLost = false
  private var input: Task<any KernelSocket, any Error>?
  /// What the kernel has asked, and `next` has not returned yet.
  private var questions: Deque<Message> = []
  private let questionTaken = WaitQueue()
  private var hasDrained = false
  private var isClosed = false
  private var discarded = DiscardedMessages()

  /// Connects to the kernel's sockets and subscribes to its output.
  ///
  /// - Parameters:
  ///   - maker: makes the sockets.
  ///   - keepsOutput: see `LocalKernelSpec`.
  ///   - limits: how long a message may be, and how many bytes may wait in this process if the kernel does not wait.
  ///   - hasEnded: tells whether the kernel's process has ended, even if that is not reported yet.
  /// - Throws: `UVError`, such as `connectionRefused` if the kernel does not listen yet; `ZMTPError`, `CancellationError`.
  static func open(
    _ connection: ConnectionInfo, by maker: KernelSocketMaker, keepsOutput: Bool, limits: KernelLimits,
    lossLimit: Duration = lossLimit, logger: Logger, hasEnded: @escaping @LoopActor () -> Bool = { false }
  ) async throws -> ZeroMQChannel {
    let sockets: KernelSockets
    do {
      sockets = try await KernelSockets(
        to: connection, by: maker, keepsOutput: keepsOutput, limits: limits)
    } catch let error as UVError where error == .protocolError {
      throw KernelFramingError("The kernel does not speak ZMTP 3")
    }
    return ZeroMQChannel(
      sockets, key: connection.key, limits: limits, lossLimit: lossLimit, logger: logger, hasEnded: hasEnded)
  }

  private init(
    _ sockets: KernelSockets, key: String, limits: KernelLimits, lossLimit: Duration, logger: Logger,
    hasEnded: @escaping @LoopActor () -> Bool
  ) {
    self.hasEnded = hasEnded
    self.sockets = sockets
    self.limits = limits
    self.lossLimit = lossLimit
    self.logger = logger
    authentication = MessageAuthentication(key: Bytes(key))
    // Output on `iopub` comes before the reply on `shell`.
    inbox = KernelInbox([sockets.iopub, sockets.shell])
    LoopActor.task { await self.listenToControl() }
  }

  func send(_ request: KernelRequest) async throws {
    let socket =
      switch request.frame.channel {
      case .shell: sockets.shell
      case .control: sockets.control
      case .stdin: try await inputSocket()
      default: throw UVError.notConnected
      }
    let parts = try await Computation.run(over: request.frame.length) { [authentication] in
      ZeroMQFraming.encode(request.frame, sign: authentication.signature(of:))
    }
    if request.frame.channel == .shell {
      lastRequest = request.identifier
      // libzmq does not report what its peer has not read.
      if !sockets.tellWhatIsLost, hasEnded() { missedRequest = request.identifier }
    }
    do {
      try await socket.send(parts)
    } catch let error as UVError where error != .cancelled {
      // The kernel has ended or is about to. `next` returns what it sent before, and how it ended.
      logger.debug("a request could not be sent", metadata: ["reason": "\(error)"])
    }
  }

  /// If a kernel died before it read the last request, the way its connection ended shows that.
  func hasMissed(_ request: MessageIdentifier) -> Bool {
    request == missedRequest || (request == lastRequest && sockets.shell.hasLostOutput)
  }

  /// Sends a request on `control` and waits for the reply, even if nobody calls `next`.
  ///
  /// - Throws: `UVError.cancelled` when the channel is closed, `CancellationError`.
  func ask(_ request: KernelRequest) async throws {
    let reply = Promise<Result<Void, any Error>>()
    pendingReplies[request.identifier] = reply
    defer { pendingReplies[request.identifier] = nil }
    try await send(request)
    try await reply.get().get()
  }

  func next() async throws -> KernelEvent {
    while true {
      if isClosed { throw UVError.cancelled }
      try checkLoss()
      if let loss = takeOutputLoss() { return .lost(loss) }
      // What was printed before a question comes before it.
      if let received = try inbox.receive() {
        if budget.isSpent(by: received.parts.byteCount) { await Task.yield() }
        let channel: KernelChannelName = received.source == 0 ? .iopub : .shell
        if let message = try await message(in: received.parts, from: channel) { return .message(message) }
      } else if let question = questions.popFirst() {
        questionTaken.wakeAll()
        return .message(question)
      } else if let death {
        if hasDrained || inbox.hasLostAll { return .died(death) }
        try await drain()
      } else if inbox.hasLostOne || isControlLost {
        try await awaitEnd()
      } else {
        budget.renew()
        try await inbox.untilReadable()
      }
    }
  }

  private func takeOutputLoss() -> OutputLoss? {
    let dropped = sockets.takeDropped()
    guard dropped > 0 else { return nil }
    return OutputLoss(request: lastRequest ?? .none, limit: limits.unreadOutput, bytes: dropped)
  }

  /// Connects `stdin`, once.
  ///
  /// - Throws: `UVError`, `ZMTPError`, `CancellationError`.
  func openInput() async throws { _ = try await inputSocket() }

  private func inputSocket() async throws -> any KernelSocket {
    if isClosed { throw UVError.cancelled }
    let opening =
      input
      ?? LoopActor.task {
        let socket = try await self.sockets.connectInput()
        if self.isClosed { socket.close() }
        LoopActor.task { await self.listenToInput(on: socket) }
        return socket
      }
    input = opening
    do {
      return try await opening.value
    } catch {
      if input == opening { input = nil }
      throw error
    }
  }

  private func listenToInput(on socket: any KernelSocket) async {
    while let parts = try? await socket.next() {
      guard let question = try? await message(in: parts, from: .stdin), question.header.type == .inputRequest
      else { continue }
      questions.append(question)
      inbox.wake()
      await questionTaken.waitRegardless { questions.count < Self.mostQuestions || isClosed }
    }
  }

  private func closeInput() {
    questionTaken.wakeAll()
    guard let input else { return }
    self.input = nil
    LoopActor.task { (try? await input.value)?.close() }
  }

  /// The process has ended. `next` reports that after everything the kernel had sent.
  func kernelDied(_ how: String) {
    death = how
    inbox.wake()
  }

  /// Closes all sockets but `control`, which the shutdown request is sent on after this.
  func close() async {
    isClosed = true
    closeInput()
    sockets.closeAllButControl()
  }

  /// Closes all, without waiting. Idempotent.
  func abort() {
    isClosed = true
    closeInput()
    sockets.close()
    for reply in pendingReplies.values { reply.fulfil(.failure(UVError.cancelled)) }
  }

  /// Checks the signature before anything in the message is used. A message with a wrong signature is discarded. The next
  /// message waits until a long one was checked, so that the order stays.
  private func message(in parts: [Bytes], from channel: KernelChannelName) async throws -> Message? {
    do {
      let signed = try ZeroMQFraming.decode(parts, from: channel)
      let parts = signed.signedParts
      return try await Computation.run(over: parts.byteCount) { [authentication] in
        guard authentication.isValid(signed.signature, of: parts) else {
          throw KernelFramingError("A kernel message has a wrong signature")
        }
        return try Message(signed.frame)
      }
    } catch let error as CancellationError {
      throw error
    } catch {
      discarded.note(error, on: channel.rawValue, logger)
      return nil
    }
  }

  /// Messages on the other connections, however many, do not hide the loss of one.
  private func checkLoss() throws {
    guard death == nil, inbox.hasLostOne || isControlLost else { return }
    let since = lossTime ?? EventLoop.now
    lossTime = since
    if EventLoop.now - since > lossLimit.nanoseconds { throw UVError.connectionReset }
  }

  /// A connection has ended. The report of the kernel's death should follow.
  private func awaitEnd() async throws {
    let since = lossTime ?? EventLoop.now
    lossTime = since
    // Messages on the other connections do not restart the wait.
    let left = lossLimit - .nanoseconds(Int64(clamping: EventLoop.now - since))
    guard left > .zero else { throw UVError.connectionReset }
    do {
      try await withDeadline(left) { try await self.inbox.untilReadable() }
    } catch is DeadlineExceeded {
      if death == nil { throw UVError.connectionReset }
    }
  }

  /// Everything that a dead kernel had sent arrives before the end of its sockets.
  private func drain() async throws {
    do {
      try await withDeadline(Self.drainLimit) { try await self.inbox.untilReadable() }
    } catch is DeadlineExceeded {
      hasDrained = true
    }
  }

  private func listenToControl() async {
    do {
      while true {
        let parts = try await sockets.control.next()
        guard let message = try await message(in: parts, from: .control) else { continue }
        // A reply that nobody waits for is ignored: the reply to the shutdown request, one that comes too late, and whatever
        // code in the kernel sends here.
        pendingReplies[message.parentIdentifier]?.fulfil(.success(()))
      }
    } catch {
      isControlLost = true
      inbox.wake()
      for reply in pendingReplies.values { reply.fulfil(.failure(error)) }
    }
  }
}
