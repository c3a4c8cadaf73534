public import Logging
public import Loop
import Bytes
import Wire

/// A kernel that takes code. What comes over its channel goes to the request that it belongs to.
@LoopActor
public final class Kernel {
  /// How long a kernel may take from its start to its first reply. Kernels that import much, and loaded machines, are slow.
  static let startLimit: Duration = .seconds(60)
  /// The interval of requests to a kernel that starts: it may miss some.
  private static let questionInterval: Duration = .milliseconds(200)

  /// How long an idle kernel may take to reply. Most take some milliseconds.
  private static let probeLimit: Duration = .seconds(1)

  /// Why a kernel ended that another client of its Jupyter Server has restarted.
  nonisolated static let restartedByOthers = "it was restarted by another client"

  /// The kind of kernel.
  public let spec: KernelSpec
  /// Makes the requests to it.
  public let session = MessageSession()
  /// `supported_features` of its `kernel_info_reply`.
  public private(set) var supportedFeatures: Set<String> = []
  /// Messages that the kernel sends itself, and no code that runs in it: their session tells whether another process has taken
  /// its place. Those on iopub may be missed while the connection to the new process is new.
  private static let telling: Set<MessageType> = [.status, .executeInput, .error, .executeReply]
  /// The feature of a kernel that waits while its output is not read.
  private static let keepsOutput = "code_interpreter.keeps_output"
  /// How many features are read, and how long a name may be, in bytes.
  private static let mostFeatures = 64, longestFeature = 64
  /// Why the kernel, or its channel, has ended; nil while neither has.
  public private(set) var end: KernelEnd?
  /// Called once when `end` is set, unless `shutDown` or `kill` set it.
  public var onEnd: (@LoopActor (KernelEnd) -> Void)?
  /// Called with output that belongs to no pending request: threads go on writing when their cell has ended.
  public var onUnsolicited: (@LoopActor (Message) async -> Void)?

  /// Called when more output waits than may: the code is to be interrupted.
  public var onOverflow: (@LoopActor () -> Void)?
  /// Called in the place of output that was dropped.
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

  /// Starts a kernel; it takes code when this returns. A warm kernel may have died unnoticed: then the next one is taken, and
  /// in the end one is started.
  ///
  /// - Parameters:
  ///   - directory: its working directory, absolute.
  ///   - environment: variables beyond those of the provider.
  /// - Throws: `KernelProviderError`.
  public static func start(
    _ spec: KernelSpec, on provider: any KernelProvider, in directory: String, environment: [String: String],
    logger: Logger
  ) async throws -> Kernel {
    let end = EventLoop.now + startLimit.nanoseconds
    while true {
      let connection = try await provider.start(spec, in: directory, environment: environment)
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

  /// Sends `request`, which is on its way when this returns, and gives what the kernel says to it.
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

  /// Ends `request` if the kernel has lost it. ipykernel drops a request without a reply when an interrupt reaches it outside
  /// of the code ("KeyboardInterrupt caught in kernel"). Requests on shell are answered in order, so the reply to a later one
  /// shows it.
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

  /// Waits until the kernel, or the way to it, ends.
  ///
  /// - Throws: `CancellationError`.
  public func untilEnd() async throws { try await ends.wait { end != nil } }

  /// Interrupts the code; see `KernelProvider.interrupt`.
  public func interrupt() async throws { try await provider.interrupt(identifier) }

  /// True if its provider can now start a better kernel; see `KernelProvider.canUpgrade`.
  public func canUpgrade() async throws -> Bool { try await provider.canUpgrade(identifier) }

  /// Ends the kernel. Pending requests end with `reason` at once; the process and its children are gone on return. The kernel is
  /// asked first, so that it can write its files.
  public func shutDown(because reason: KernelEnd) async {
    let isBusy = !pendingRequests.isEmpty
    await hangUp(because: reason)
    await provider.shutDown(identifier, isBusy: isBusy)
  }

  /// The same, but the kernel is not asked.
  public func kill(because reason: KernelEnd) async {
    await hangUp(because: reason)
    await provider.kill(identifier)
  }

  private func hangUp(because reason: KernelEnd) async {
    onEnd = nil
    finish(because: reason, of: channel)
    await channel.close()
  }

  /// Opens the channel again after it was lost, and waits until the kernel takes code.
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

  /// True if that session is of another process than the one that answered first. Kernels that repeat their client's session
  /// leave it open.
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
        }
      }
    } catch let end as KernelEnd {
      throw KernelProviderError.kernelDidNotStart(end.explanation)
    } catch is DeadlineExceeded {
      throw KernelProviderError.kernelDidNotStart("no answer within \(Self.startLimit)")
    }
  }

  private func noteProperties(in reply: Message) {
    supportedFeatures = Self.features(of: reply)
    // The kernelspec may announce the feature, and the kernel lack it: our package supports only some versions of ipykernel.
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

  /// Waits until consumers have seen what came first, such as that code has asked its kernel to end.
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
