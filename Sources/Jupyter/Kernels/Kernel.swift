public import Logging
public import Loop
public import Bytes
import Wire

/// A kernel that takes code. Dispatches the messages on its channel to pending requests.
@LoopActor
public final class Kernel {
  /// How long a kernel may take from its start to its first reply. Kernels that import much, and loaded machines, are slow.
  static let startLimit: Duration = .seconds(60)
  /// How long a kernel that starts may be silent before another connection is opened, if its provider may have restarted it.
  private static let silenceLimit: Duration = .seconds(5)
  /// The interval of requests to a kernel that starts: it may miss some.
  private static let questionInterval: Duration = .milliseconds(200)

  /// How long an idle kernel may take to reply. Most take some milliseconds.
  private static let probeLimit: Duration = .seconds(1)

  /// Why a kernel ended that another client of its Jupyter Server has restarted.
  nonisolated static let restartedByOthers = "it was restarted by another client"

  /// The kind of kernel.
  public let spec: KernelSpec
  /// Creates the requests to it.
  public let session = MessageSession()
  /// `supported_features` of its `kernel_info_reply`.
  public private(set) var supportedFeatures: Set<String> = []
  /// Messages that the kernel itself sends, not user code: their session shows whether another process has replaced
  /// it. Those on iopub may be missed while the connection to the new process is new.
  private static let telling: Set<MessageType> = [.status, .executeInput, .error, .executeReply]
  /// The feature of a kernel that waits while its output is not read.
  private static let keepsOutput = "code_interpreter.keeps_output"
  /// How many features are read, and how long a name may be, in bytes.
  private static let mostFeatures = 64, longestFeature = 64
  /// Why the kernel, or its channel, has ended; nil while neither has.
  public private(set) var end: KernelEnd?
  /// Called once when `end` is set, unless `shutDown` or `kill` set it.
  public var onEnd: (@LoopActor (KernelEnd) -> Void)?
  /// Called with output that belongs to no pending request, such as that of threads that outlive their cell.
  public var onUnsolicited: (@LoopActor (Message) async -> Void)?

  /// Called when too much output is unread: the code must be interrupted.
  public var onOverflow: (@LoopActor () -> Void)?
  /// Called in place of dropped output.
  public var onLoss: (@LoopActor (OutputLoss) async -> Void)?

  private let provider: any KernelProvider
  private let identifier: String
  private let logger: Logger
  private var channel: any KernelChannel
  private var pendingRequests: [MessageIdentifier: PendingRequest] = [:]
  private let ends = WaitQueue()
  /// True until the kernel takes code.
  private var isStarting = false
  /// The session of the kernel's process.
  private var processSession = MessageIdentifier.none

  /// Starts a kernel, which takes code on return. If a warm kernel has died unnoticed, the next one is taken, and
  /// finally a new one is started.
  ///
  /// - Parameters:
  ///   - directory: its working directory, absolute.
  ///   - environment: variables beyond those of the provider.
  ///   - isolation: what it is kept from.
  /// - Throws: `KernelProviderError`.
  public static func start(
    _ spec: KernelSpec, on provider: any KernelProvider, in directory: String, environment: [String: String],
    isolation: KernelIsolation, logger: Logger
  ) async throws -> Kernel {
    let end = EventLoop.now + startLimit.nanoseconds
    while true {
      let connection = try await provider.start(
        spec, in: directory, environment: environment, isolation: isolation)
      let kernel = Kernel(spec: spec, provider: provider, connection: connection, logger: logger)
      do {
        try await kernel.becomeReady()
        return kernel
      } catch {
        await kernel.kill(because: .shutDown("it did not start"))
        guard connection.isWarm, EventLoop.now < end,
          case KernelProviderError.kernelDidNotStart(let reason) = error
        else { throw error }
        logger.info("a warm kernel has died", metadata: ["reason": "\(reason)"])
      }
    }
  }

  private init(spec: KernelSpec, provider: any KernelProvider, connection: KernelConnection, logger: Logger) {
    self.spec = spec
    self.provider = provider
    self.identifier = connection.identifier
    self.channel = connection.channel
    self.logger = logger
    startListening()
  }

  /// Sends `request` and returns the replies to it. The request is sent on return.
  ///
  /// - Throws: `KernelEnd`, `CancellationError`.
  public func replies(to request: KernelRequest) async throws -> Replies {
    if let end { throw end.beforeRequest }
    let pending = PendingRequest()
    pendingRequests[request.identifier] = pending
    let replies = Replies(pending) { [weak self] in
      self?.pendingRequests[request.identifier] = nil
      pending.release()
    }
    do {
      try await channel.send(request)
    } catch let error as CancellationError {
      throw error
    } catch {
      finish(because: .connectionLost("\(error)"), of: channel)
    }
    return replies
  }

  /// Makes the kernel able to ask for input. Called before a request that allows it.
  ///
  /// - Throws: `KernelEnd`, `CancellationError`.
  public func openInput() async throws {
    do {
      try await channel.openInput()
    } catch let error as CancellationError {
      throw error
    } catch {
      // It has ended, or is about to; the request will tell.
      logger.info("the kernel cannot be given input", metadata: ["reason": "\(error)"])
    }
  }

  /// Gives the kernel what it has asked for: the contents of a JSON string.
  public func answer(_ value: Bytes) async {
    // Where it cannot be sent the kernel has ended, which its request tells.
    try? await channel.send(session.inputReply(value))
  }

  /// Ends `request` if the kernel has lost it. ipykernel drops a request without a reply if an interrupt hits it
  /// outside of the code ("KeyboardInterrupt caught in kernel"). Requests on shell are answered in order, so the reply
  /// to a later one shows the loss.
  public func concludeIfLost(_ request: KernelRequest) async {
    var isAnswered = false
    while !isAnswered, pendingRequests[request.identifier] != nil, end == nil, !Task.isCancelled {
      // This request may be lost the same way.
      try? await withDeadline(Self.probeLimit) {
        for try await message in try await self.replies(to: self.session.kernelInformation()) {
          if message.isReply { isAnswered = true }
        }
      }
    }
    pendingRequests.removeValue(forKey: request.identifier)?.finish(.success(()))
  }

  /// Waits until the kernel, or the connection to it, ends.
  ///
  /// - Throws: `CancellationError`.
  public func untilEnd() async throws { try await ends.wait { end != nil } }

  /// Interrupts the code; see `KernelProvider.interrupt`.
  public func interrupt() async throws { try await provider.interrupt(identifier) }

  /// Ends what the kernel has started; see `KernelProvider.endChildren`.
  public func endChildren() async -> Bool { await provider.endChildren(identifier) }

  /// What it and its children use; see `KernelProvider.usage`.
  public func usage() async -> ProcessUsage? { await provider.usage(of: identifier) }

  /// Limits what it and its children may use; see `KernelProvider.limit`.
  public func limit(to limits: ResourceLimits, in directory: String) async throws {
    try await provider.limit(identifier, to: limits, in: directory)
  }

  /// How its resources are limited; see `KernelProvider.limitMethods`.
  public var limitMethods: [LimitMethod] { provider.limitMethods(of: identifier) }

  /// True if its provider can now start a better kernel; see `KernelProvider.canUpgrade`.
  public func canUpgrade() async throws -> Bool { try await provider.canUpgrade(identifier) }

  /// Shuts down the kernel, which can write its files first. Pending requests end with `reason` at once; the process
  /// and its children are gone on return.
  public func shutDown(because reason: KernelEnd) async {
    let isBusy = !pendingRequests.isEmpty
    await hangUp(because: reason)
    await provider.shutDown(identifier, isBusy: isBusy)
  }

  /// Ends the kernel without a shutdown request.
  public func kill(because reason: KernelEnd) async {
    await hangUp(because: reason)
    await provider.kill(identifier)
  }

  private func hangUp(because reason: KernelEnd) async {
    onEnd = nil
    finish(because: reason, of: channel)
    await channel.close()
  }

  /// Reopens a lost channel, and waits until the kernel takes code.
  ///
  /// - Throws: `KernelProviderError` if the kernel is gone, another process is in its place, or its provider does not answer.
  public func reconnect() async throws {
    let session = processSession
    channel = try await provider.reconnect(identifier)
    end = nil
    startListening()
    try await becomeReady()
    if isAnother(session) { throw KernelProviderError.kernelIsGone }
  }

  /// True if the session belongs to another process than the first reply's. Kernels that repeat their client's session
  /// do not show it.
  private func isAnother(_ other: MessageIdentifier) -> Bool {
    other != processSession && ![other, processSession].contains { $0 == .none || $0 == session.identifier }
  }

  /// Waits until a request has been answered on shell **and** its status has come on iopub: a ZeroMQ subscriber misses what
  /// was published before its subscription arrived.
  private func becomeReady() async throws {
    var isAnswered = false
    var hasMessages = false
    isStarting = true
    defer { isStarting = false }
    do {
      try await withDeadline(Self.startLimit) {
        var opened = EventLoop.now
        while !(isAnswered && hasMessages) {
          try? await withDeadline(Self.questionInterval) {
            for try await message in try await self.replies(to: self.session.kernelInformation()) {
              if message.isReply { isAnswered = true }
              if message.channel == .iopub { hasMessages = true }
              if isAnswered && hasMessages { return }
            }
          }
          if let end = self.end { throw end }
          try Task.checkCancellation()
          if !isAnswered, !hasMessages, self.provider.restartsKernels,
            EventLoop.now - opened >= Self.silenceLimit.nanoseconds
          {
            try await self.reopen()
            opened = EventLoop.now
          }
        }
      }
    } catch let end as KernelEnd {
      throw KernelProviderError.kernelDidNotStart(end.explanation)
    } catch is DeadlineExceeded {
      throw KernelProviderError.kernelDidNotStart("no answer within \(Self.startLimit)")
    }
  }

  /// Opens another channel in place of one on which the kernel is silent.
  private func reopen() async throws {
    let silent = channel
    logger.info("a kernel that starts is silent: another connection to it is opened")
    channel = try await provider.reconnect(identifier)
    startListening()
    await silent.close()
  }

  private func noteProperties(in reply: Message) {
    supportedFeatures = Self.features(of: reply)
    // The kernelspec may declare the feature although the kernel lacks it: our package supports only some versions of
    // ipykernel.
    if !supportedFeatures.contains(Self.keepsOutput) { channel.takeOutputAtOnce() }
    processSession = reply.header.session
  }

  private static func features(of reply: Message) -> Set<String> {
    guard let features = try? reply.content()["supported_features"] else { return [] }
    return Set(features.elements.prefix(mostFeatures).compactMap { $0.ascii(atMost: longestFeature) })
  }

  private func startListening() {
    let channel = channel
    channel.onOverflow { [weak self] in self?.onOverflow?() }
    LoopActor.task { await self.listen(to: channel) }
  }

  private func listen(to channel: any KernelChannel) async {
    do {
      while end == nil {
        switch try await channel.next() {
        case .message(let message):
          guard let pending = deliver(message) else {
            await receiveUndelivered(message)
            continue
          }
          if pending.isFull { await pending.untilConsumed() }
          if pending.isFinished { pendingRequests[message.parentIdentifier] = nil }
        case .lost(let loss):
          await untilConsumed()
          if pendingRequests[loss.request] != nil { await onLoss?(loss) }
        case .died(let how):
          await untilConsumed()
          finish(because: .died(how), of: channel)
        }
      }
    } catch {
      await untilConsumed()
      finish(because: .connectionLost("\(error)"), of: channel)
    }
  }

  /// Hands a message to the request that it belongs to; nil if there is none, or the message shows that another process has
  /// taken the kernel's place.
  private func deliver(_ message: Message) -> PendingRequest? {
    guard let pending = pendingRequests[message.parentIdentifier] else { return nil }
    if Self.telling.contains(message.header.type), isAnother(message.header.session) { return nil }
    if isStarting, message.header.type == .kernelInfoReply { noteProperties(in: message) }
    pending.append(message)
    return pending
  }

  private func receiveUndelivered(_ message: Message) async {
    if pendingRequests[message.parentIdentifier] != nil {
      // No message says that another client has restarted the kernel.
      await untilConsumed()
      finish(because: .died(Self.restartedByOthers), of: self.channel)
    } else if message.parentIdentifier.belongs(to: session.identifier) {
      // Not the output of other clients' code.
      await untilConsumed()
      await onUnsolicited?(message)
    }
  }

  /// Waits until consumers have processed earlier messages, such as the code's request to exit.
  private func untilConsumed() async {
    for pending in pendingRequests.values { await pending.untilConsumed() }
  }

  private func finish(because reason: KernelEnd, of channel: any KernelChannel) {
    guard end == nil, channel === self.channel else { return }
    end = reason
    ends.wakeAll()
    for (request, pending) in pendingRequests {
      let isMissed = !pending.hasMessages && channel.hasMissed(request)
      pending.finish(.failure(isMissed ? reason.beforeRequest : reason))
    }
    onEnd?(reason)
  }
}
