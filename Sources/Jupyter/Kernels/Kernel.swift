public import Logging
public import Loop
import Bytes
import Wire

/// A kernel that takes code: routes what comes over its channel to the request that it belongs to.
@LoopActor
public final class Kernel {
  /// How long a kernel may take from its start to its first answer. Preloading kernels and loaded machines are slow;
  /// a kernel that needs longer is taken for broken.
  public static let startLimit: Duration = .seconds(60)
  /// A question that a kernel missed while it started is asked again after this.
  private static let questionInterval: Duration = .milliseconds(200)

  /// A kernel that is idle answers within milliseconds.
  private static let probeLimit: Duration = .seconds(1)

  /// How a kernel ended that another client of its provider has restarted.
  nonisolated static let restartedByOthers = "it was restarted by another client"

  /// What kind of kernel it is.
  public let spec: KernelSpec
  /// Makes the requests to it.
  public let session = MessageSession()
  /// What it can do beyond the protocol, by its own account (`supported_features` of `kernel_info_reply`).
  public private(set) var supportedFeatures: Set<String> = []
  /// What a kernel says itself, and no code that runs in it: by these one that took another's place is known. The first of
  /// them, its status, may be missed while the connection to it is new.
  private static let telling: Set<MessageType> = [.status, .executeInput, .error]
  /// How our own kernel says that it waits for whoever reads its output.
  private static let keepsOutput = "code_interpreter.keeps_output"
  /// How many features a kernel may have, and how many bytes the name of one.
  private static let mostFeatures = 64, longestFeature = 64
  /// Why it has ended, or its channel has; nil while all is well.
  public private(set) var end: KernelEnd?
  /// Told once when `end` is set, unless `shutDown` set it.
  public var onEnd: (@LoopActor (KernelEnd) -> Void)?
  /// Takes what belongs to no request that is under way: output of threads that outlived their cell.
  public var onUnsolicited: (@LoopActor (Message) async -> Void)?

  /// Told when more output waits than may: what makes it is to be stopped.
  public var onOverflow: (@LoopActor () -> Void)?
  /// Told in the place of output that was dropped, for the request that is under way.
  public var onLoss: (@LoopActor (OutputLoss) async -> Void)?

  private let provider: any KernelProvider
  private let identifier: String
  private let logger: Logger
  private var channel: any KernelChannel
  private var pendingRequests: [MessageIdentifier: PendingRequest] = [:]
  private let ends = WaitQueue()
  /// True until the kernel takes code.
  private var isStarting = false
  /// The name by which the kernel's process signs its messages.
  private var processSession = MessageIdentifier.none

  /// Starts a kernel; it takes code when this returns. Warm kernels may have died without anybody having heard of
  /// it yet: the next one is taken then, and in the end one is started.
  ///
  /// - Parameters:
  ///   - directory: its working directory, absolute.
  ///   - environment: variables beyond the provider's.
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

  /// Ends `request`, as if all had come, when the kernel has lost it. ipykernel drops a request and answers
  /// nothing when an interrupt reaches it beside the code ("KeyboardInterrupt caught in kernel"). Requests on shell are
  /// answered in their order, so the answer to a later one tells.
  public func concludeIfLost(_ request: KernelRequest) async {
    var isAnswered = false
    while !isAnswered, pendingRequests[request.identifier] != nil, end == nil, !Task.isCancelled {
      // The question may be lost the same way.
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

  /// Interrupts what runs; see `KernelProvider.interrupt`.
  public func interrupt() async throws { try await provider.interrupt(identifier) }

  /// Waits until its provider makes kernels as well as it can; see `KernelProvider.canUpgrade`.
  public func canUpgrade() async throws -> Bool { try await provider.canUpgrade(identifier) }

  /// Ends the kernel: what runs in it ends with `reason` at once; the process and its children are gone on return. The
  /// kernel is asked first, so that it can write what it has to write.
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
  /// - Throws: `KernelProviderError` where the kernel is gone, or another process is in its place, or its provider does not answer.
  public func reconnect() async throws {
    let session = processSession
    channel = try await provider.reconnect(identifier)
    end = nil
    startListening()
    try await becomeReady()
    if isAnother(session) { throw KernelProviderError.kernelIsGone }
  }

  /// True where a message of that session comes from another process than the one that was there first. Kernels that sign
  /// by their client's name leave it open.
  private func isAnother(_ other: MessageIdentifier) -> Bool {
    other != processSession && ![other, processSession].contains { $0 == .none || $0 == session.identifier }
  }

  /// A kernel is ready when its own question has been answered on shell **and** its status has been seen on iopub:
  /// a subscriber that has just connected misses what was said before.
  private func becomeReady() async throws {
    var isAnswered = false
    var isHeard = false
    isStarting = true
    defer { isStarting = false }
    do {
      try await withDeadline(Self.startLimit) {
        while !(isAnswered && isHeard) {
          try? await withDeadline(Self.questionInterval) {
            for try await message in try await self.replies(to: self.session.kernelInformation()) {
              if message.isReply { isAnswered = true }
              if message.channel == .iopub { isHeard = true }
              if isAnswered && isHeard { return }
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
    // The kernelspec may say so, and ipykernel be of a version of which ours is none.
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
        case .message(let message): await route(message)
        case .lost(let loss):
          await untilDealtWith()
          if pendingRequests[loss.request] != nil { await onLoss?(loss) }
        case .died(let how):
          await untilDealtWith()
          finish(because: .died(how), of: channel)
        }
      }
    } catch {
      await untilDealtWith()
      finish(because: .connectionLost("\(error)"), of: channel)
    }
  }

  private func route(_ message: Message) async {
    guard let pending = pendingRequests[message.parentIdentifier] else {
      // What has no parent, or another's, is no output of code that was sent here.
      guard message.parentIdentifier.belongs(to: session.identifier) else { return }
      await untilDealtWith()
      await onUnsolicited?(message)
      return
    }
    // Nobody tells that another client has restarted a kernel; it may even have missed that itself.
    if Self.telling.contains(message.header.type), isAnother(message.header.session) {
      await untilDealtWith()
      return finish(because: .died(Self.restartedByOthers), of: self.channel)
    }
    if isStarting, message.header.type == .kernelInfoReply { noteProperties(in: message) }
    pending.append(message)
    if pending.isFull { await pending.untilDealtWith() }
    if pending.isFinished { pendingRequests[message.parentIdentifier] = nil }
  }

  /// Waits until consumers have seen what came first, such as that code has asked its kernel to end.
  private func untilDealtWith() async {
    for pending in pendingRequests.values { await pending.untilDealtWith() }
  }

  private func finish(because reason: KernelEnd, of channel: any KernelChannel) {
    guard end == nil, channel === self.channel else { return }
    end = reason
    ends.wakeAll()
    for (request, pending) in pendingRequests {
      let isMissed = !pending.isHeard && channel.hasMissed(request)
      pending.finish(.failure(isMissed ? reason.beforeRequest : reason))
    }
    onEnd?(reason)
  }
}

extension KernelEnd {
  /// What it is to a request that the kernel has not got.
  fileprivate var beforeRequest: KernelEnd {
    if case .died(let how) = self { .diedBefore(how) } else { self }
  }

  /// What to tell a person.
  public var explanation: String {
    switch self {
    case .died(let how), .diedBefore(let how): how
    case .connectionLost(let reason): "the connection to the kernel was lost: \(reason)"
    case .restarted: "the kernel was restarted"
    case .shutDown(let reason): reason
    }
  }
}
