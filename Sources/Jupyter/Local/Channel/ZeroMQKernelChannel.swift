import Logging
import Loop
import Bytes

/// The way to a kernel whose process is ours: sockets that are connected to its ZeroMQ sockets, all messages signed and checked.
///
/// `stdin` is not connected: every request of ours says that nobody is there to be asked.
///
/// https://jupyter-client.readthedocs.io/en/stable/messaging.html#introduction
@LoopActor
final class ZeroMQKernelChannel: KernelChannel {
  /// How long the last words of a dead kernel may be on their way when its connections do not end with it, because a
  /// child of it holds them.
  private static let lastWordsLimit: Duration = .milliseconds(100)

  /// A kernel that has closed a socket is about to end. One that lives on after this has lost it.
  private static let lossLimit: Duration = .seconds(10)

  private let sockets: KernelSockets
  private let inbox: KernelInbox
  private let limits: KernelLimits
  private let authentication: MessageAuthentication
  private let logger: Logger
  private let lossLimit: Duration
  private let hasEnded: @LoopActor () -> Bool
  /// The request that found the kernel's process ended.
  private var missedRequest: MessageIdentifier?
  private var questions: [MessageIdentifier: Promise<Result<Void, any Error>>] = [:]
  /// The identifier of what was sent last on shell.
  private var lastRequest: MessageIdentifier?
  private var death: String?
  /// When a connection was first seen to have ended, while the kernel lives as far as we know.
  private var lossTime: UInt64?
  private var isControlLost = false
  private var hasHeardLastWords = false
  private var isClosed = false
  private var discarded = DiscardedMessages()

  /// Connects to the kernel's sockets; its output is heard from now on.
  ///
  /// - Parameters:
  ///   - maker: what makes the sockets.
  ///   - keepsOutput: see `LocalKernelSpec`.
  ///   - limits: how long a message may be, and how much may wait where the kernel does not.
  ///   - hasEnded: tells whether the kernel's process has ended, which may not have been seen yet.
  /// - Throws: `UVError`, such as `connectionRefused` where the kernel does not listen yet; `ZMTPError`,
  ///   `CancellationError`.
  static func open(
    _ connection: ConnectionInfo, by maker: KernelSocketMaker, keepsOutput: Bool, limits: KernelLimits,
    lossLimit: Duration = lossLimit, logger: Logger, hasEnded: @escaping @LoopActor () -> Bool = { false }
  ) async throws -> ZeroMQKernelChannel {
    let sockets: KernelSockets
    do {
      sockets = try await KernelSockets(
        to: connection, by: maker, keepsOutput: keepsOutput, limits: limits)
    } catch let error as UVError where error == .protocolError {
      throw KernelFramingError("The kernel does not speak ZMTP 3")
    }
    return ZeroMQKernelChannel(
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
    // What the kernel said while it ran comes before what it replied in the end.
    inbox = KernelInbox([sockets.iopub, sockets.shell])
    LoopActor.task { await self.listenToControl() }
  }

  func send(_ request: KernelRequest) async throws {
    let socket =
      switch request.channel {
      case .shell: sockets.shell
      case .control: sockets.control
      default: throw UVError.notConnected
      }
    let parts = try await Computation.run(over: request.length) { [authentication] in
      ZeroMQFraming.encode(request.frame, sign: authentication.signature(of:))
    }
    if request.channel == .shell {
      lastRequest = request.identifier
      // libzmq does not tell what its peer has not read.
      if !sockets.tellWhatIsLost, hasEnded() { missedRequest = request.identifier }
    }
    do {
      try await socket.send(parts)
    } catch let error as UVError where error != .cancelled {
      // The kernel is about to end, or has: what it said before that, and how it ended, comes from `next`.
      logger.debug("a request could not be sent", metadata: ["reason": "\(error)"])
    }
  }

  /// A kernel that dies without having read what was sent last is known by the way its connection ends.
  func hasMissed(_ request: MessageIdentifier) -> Bool {
    request == missedRequest || (request == lastRequest && sockets.shell.hasLostOutput)
  }

  /// Sends a request on `control` and waits for the reply, whether anybody calls `next` or not.
  ///
  /// - Throws: `UVError.cancelled` when the channel is closed, `CancellationError`.
  func ask(_ request: KernelRequest) async throws {
    let question = Promise<Result<Void, any Error>>()
    questions[request.identifier] = question
    defer { questions[request.identifier] = nil }
    try await send(request)
    try await question.get().get()
  }

  func next() async throws -> KernelEvent {
    while true {
      if isClosed { throw UVError.cancelled }
      try checkLoss()
      if let loss = takeOutputLoss() { return .lost(loss) }
      if let received = try await inbox.receive() {
        let channel: KernelChannelName = received.source == 0 ? .iopub : .shell
        if let message = try await message(in: received.parts, from: channel) { return .message(message) }
      } else if let death {
        if hasHeardLastWords || inbox.hasLostAll { return .died(death) }
        try await awaitLastWords()
      } else if inbox.hasLostOne || isControlLost {
        try await awaitEnd()
      } else {
        try await inbox.untilReadable()
      }
    }
  }

  private func takeOutputLoss() -> OutputLoss? {
    let dropped = sockets.takeDropped()
    guard dropped > 0 else { return nil }
    return OutputLoss(request: lastRequest ?? .none, limit: limits.unreadOutput, bytes: dropped)
  }

  /// The process has ended: `next` says so behind all that it had sent before.
  func kernelDied(_ how: String) {
    death = how
    inbox.wake()
  }

  /// Nothing is sent or heard any more but requests on `control`: the kernel is asked to end after this.
  func close() async {
    isClosed = true
    sockets.closeAllButControl()
  }

  /// Closes all, without waiting. Idempotent.
  func abort() {
    isClosed = true
    sockets.close()
    for question in questions.values { question.fulfil(.failure(UVError.cancelled)) }
  }

  /// Checks who sent it before anything of it is believed. What somebody else sent is as good as not sent.
  private func message(in parts: [Bytes], from channel: KernelChannelName) async throws -> Message? {
    do {
      let signed = try ZeroMQFraming.decode(parts, from: channel)
      guard try await authentication.check(signed.signature, of: signed.signedParts) else {
        throw KernelFramingError("A kernel message has a wrong signature")
      }
      return try await Message.read(signed.frame)
    } catch let error as CancellationError {
      throw error
    } catch {
      discarded.note(error, on: channel.rawValue, logger)
      return nil
    }
  }

  /// What still comes over the other connections, in whatever number, does not hide the loss of one.
  private func checkLoss() throws {
    guard death == nil, inbox.hasLostOne || isControlLost else { return }
    let since = lossTime ?? EventLoop.now
    lossTime = since
    if EventLoop.now - since > lossLimit.nanoseconds { throw UVError.connectionReset }
  }

  /// A connection has ended; the news of the kernel's death should follow.
  private func awaitEnd() async throws {
    let since = lossTime ?? EventLoop.now
    lossTime = since
    // What still comes over the others does not begin the wait anew.
    let left = lossLimit - .nanoseconds(Int64(clamping: EventLoop.now - since))
    guard left > .zero else { throw UVError.connectionReset }
    do {
      try await withDeadline(left) { try await self.inbox.untilReadable() }
    } catch is DeadlineExceeded {
      if death == nil { throw UVError.connectionReset }
    }
  }

  /// All that a dead kernel had sent comes before the end of its sockets.
  private func awaitLastWords() async throws {
    do {
      try await withDeadline(Self.lastWordsLimit) { try await self.inbox.untilReadable() }
    } catch is DeadlineExceeded {
      hasHeardLastWords = true
    }
  }

  private func listenToControl() async {
    do {
      while true {
        let parts = try await sockets.control.next()
        guard let message = try await message(in: parts, from: .control) else { continue }
        // What answers nothing that somebody waits for is of no use: the answer to a request to end, an answer that comes
        // too late, and whatever code in the kernel may send here.
        questions[message.parentIdentifier]?.fulfil(.success(()))
      }
    } catch {
      isControlLost = true
      inbox.wake()
      for question in questions.values { question.fulfil(.failure(error)) }
    }
  }
}
