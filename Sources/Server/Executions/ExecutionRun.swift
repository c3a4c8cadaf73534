import Bytes
import Jupyter
import Logging
import Loop
import Wire

/// Drives one execution through a context: waits for its turn, runs it, and leaves the kernel as the next one expects it.
@LoopActor
final class ExecutionRun {
  /// What a client asks for.
  struct Order: Sendable {
    /// The code: the contents of a JSON string, still escaped, as the kernel gets it.
    let code: Bytes
    /// The variables of this execution alone.
    let environment: ExecutionEnvironment?
  }

  /// Why the memory of a context is gone whose code has ended its kernel.
  private static let exitReason = "exit() was called"
  /// How many kernels may die before one gets the code.
  private static let attempts = 3
  /// How long requests of ours to a kernel that is done with the code may take: what the code left running may keep it busy.
  private static let afterthoughtLimit: Duration = .seconds(2)

  private let order: Order
  private let context: Context
  private let sink: any ExecutionSink
  private let logger: Logger
  private let waiter = AsyncMutex.Waiter()
  private var execution = Execution()
  private var kernel: Kernel?
  private var request: KernelRequest?
  private var patience: Deadline?
  /// Interrupts on their way. The next execution must not meet one of them.
  private var interruptions: [Task<Void, Never>] = []
  /// The client knows that the context's memory is gone.
  private var isRestartTold = false
  /// What is to be put back into the kernel behind the execution.
  private var changedEnvironment: EnvironmentCode?
  private var isTurnOver = false
  /// What is printed behind the output, while it is waited for.
  private var mark: OutputMark?

  init(_ order: Order, in context: Context, sink: any ExecutionSink, logger: Logger) {
    self.order = order
    self.context = context
    self.sink = sink
    self.logger = logger
    sink.onLoss = { [weak self] in self?.abandon() }
  }

  /// Runs to the end, whatever happens: the output is finished when this returns.
  func run() async {
    // The client is told at once, unless there is nothing to wait for: then the code goes to the kernel first.
    if context.mutex.isLocked || !context.isReady || order.environment != nil { await sink.begin() }
    do {
      try await context.mutex.lock(as: waiter)
    } catch {
      await fail(error)
      await sink.finish()
      return
    }
    context.current = self
    do {
      try await runInTurn()
      execution.end()
    } catch {
      execution.end()
      if error is KernelEnd { endTurn() }
      await fail(error)
    }
    await sink.finish()
    // The client has its answer. The next execution waits until the kernel is as it was.
    endTurn()
  }

  /// The client is gone: nobody waits for this execution, so it is interrupted at once.
  func abandon() { perform(execution.abandon()) }

  /// Interrupts the code; if it has not begun, it does not run. If it does not obey it is interrupted again, then its kernel
  /// is replaced.
  func interrupt() { perform(execution.interrupt()) }

  /// Shows output of threads that earlier cells have started. What comes before the kernel has accepted the code was written
  /// between two executions, and belongs to neither.
  func receiveUnsolicited(_ message: Message) async {
    if let mark, message.header.type == .stream,
      (try? message.content())?["text"]?.isString(mark.text) == true
    {
      return mark.isPrinted.fulfil(())
    }
    guard execution.isAccepted, let events = try? OutputEvent.output(of: message) else { return }
    await sink.send(events)
  }

  /// Says that output was dropped, in its place.
  func receive(_ loss: OutputLoss) async { await sink.send(execution.receive(loss)) }

  // MARK: Its turn

  /// A kernel may die before it gets the code, and before anybody has heard of that. The code is not to blame, and has left
  /// no trace, so the next kernel runs it.
  private func runInTurn() async throws {
    for _ in 1..<Self.attempts {
      do {
        return try await runOnce()
      } catch KernelEnd.diedBefore(let how) {
        logger.info("the kernel had died before it got the code", metadata: ["reason": "\(how)"])
        execution.kernelMissed()
      }
    }
    try await runOnce()
  }

  private func runOnce() async throws {
    let kernel = try await context.ready()
    if execution.isInterrupted { return await tellCalledOff() }
    self.kernel = kernel
    execution.kernelTaken()
    let metadata = try await prepareEnvironment(in: kernel)
    let request = try await kernel.session.execution(of: order.code, metadata: metadata)
    if execution.isInterrupted { return await tellCalledOff() }
    if let reason = context.takeLoss() { await tellRestart(reason) }
    self.request = request
    let replies = try await kernel.replies(to: request)
    replies.onKernelEnd { [weak self] in self?.kernelEnded($0) }
    await sink.begin()
    for try await message in replies { await receive(message) }
    await awaitLateOutput(of: kernel)
    await sink.send(execution.lastEvents())
  }

  /// The code need not begin any more; the client, if there still is one, is told.
  private func tellCalledOff() async {
    await sink.send([.failure(.executionInterrupted, "the execution was interrupted before the code ran")])
  }

  /// The first execution in a kernel that has replaced one unasked says so before all else, once.
  private func tellRestart(_ reason: String) async {
    guard !isRestartTold else { return }
    isRestartTold = true
    await sink.send([.contextRestarted(reason: reason)])
  }

  private func receive(_ message: Message) async {
    do {
      let events = try execution.receive(message)
      if !events.isEmpty { await sink.send(events) }
    } catch {
      // What the kernel wanted to say cannot be told, but that it did can.
      logger.error("message of the kernel is not JSON", metadata: ["type": "\(message.header.type.rawValue)"])
      await sink.send([.failure(.connectionLost, "a message of the kernel was not JSON: \(error)")])
    }
    // Before anything else is heard of the kernel: the next may be its end.
    if execution.endsKernel, let kernel { context.endIsNear(of: kernel, because: Self.exitReason) }
    perform(execution.findReply())
  }

  /// What a kernel sends behind its status `idle` still belongs to this execution.
  private func awaitLateOutput(of kernel: Kernel) async {
    switch kernel.language.lateOutput {
    case .none: break
    case .beforeNextReply:
      try? await withDeadline(Self.afterthoughtLimit) {
        for try await message in try await kernel.replies(to: kernel.session.kernelInformation()) {
          await self.receiveUnsolicited(message)
        }
      }
    case .before(let printing):
      let mark = OutputMark()
      self.mark = mark
      try? await withDeadline(Self.afterthoughtLimit) {
        let request = kernel.session.silentExecution(of: printing(mark.text))
        for try await message in try await kernel.replies(to: request) {
          if message.isReply, message.failure != nil { return }
          await self.receiveUnsolicited(message)
        }
        try await mark.isPrinted.get()
      }
      self.mark = nil
    }
  }

  /// What code of ours prints behind the output of an execution.
  private struct OutputMark {
    let text = "code-interpreter-\(RandomIdentifier.make())"
    let isPrinted = Promise<Void>()
  }

  // MARK: Interrupts

  private func perform(_ actions: [Execution.Action]) {
    for action in actions {
      switch action {
      case .leaveQueue: context.mutex.cancel(waiter)
      case .interruptKernel: interruptKernel()
      case .wait(let duration): startPatience(duration)
      case .findReply:
        guard let kernel, let request else { continue }
        LoopActor.task { await kernel.concludeIfLost(request) }
      case .replaceKernel:
        logger.warning("the code obeys no interrupt: its kernel is replaced")
        interruptions.append(
          LoopActor.task { try? await self.context.restart(after: "the code obeyed no interrupt") })
      }
    }
  }

  private func interruptKernel() {
    guard let kernel else { return }
    interruptions.append(
      LoopActor.task {
        do { try await kernel.interrupt() } catch {
          self.logger.warning("interrupt failed", metadata: ["reason": "\(error)"])
        }
      })
  }

  private func startPatience(_ duration: Duration) {
    let patience = patience ?? Deadline { [weak self] in self?.patienceEnded() }
    self.patience = patience
    patience.start(duration)
  }

  private func patienceEnded() {
    logger.debug("the code does not obey the interrupt", metadata: ["state": "\(execution.state)"])
    perform(execution.patienceEnded())
  }

  // MARK: Its end

  /// The next execution need not wait until a client that does not read has heard that the kernel has ended.
  private func kernelEnded(_ end: KernelEnd) {
    if case .diedBefore = end { return }
    execution.end()
    endTurn()
  }

  private func endTurn() {
    guard !isTurnOver else { return }
    isTurnOver = true
    LoopActor.task { await self.passTurn() }
  }

  /// The turn ends when no interrupt can hit the next execution and the environment is as it was.
  private func passTurn() async {
    patience?.close()
    let isKernelEnding = execution.endsKernel && kernel?.end == nil
    for interruption in interruptions { await interruption.value }
    if let changedEnvironment, let kernel = try? await context.ready() {
      await restore(changedEnvironment, in: kernel)
    }
    if isKernelEnding, let kernel { await end(kernel) }
    context.current = nil
    context.mutex.unlock()
  }

  /// The kernel was asked to end. One that does so by itself takes a moment, and whatever is sent to it until then is lost
  /// with it. Others would go on with all their memory.
  private func end(_ kernel: Kernel) async {
    if kernel.language.endsByItself {
      try? await withDeadline(Self.afterthoughtLimit) { try await kernel.untilEnd() }
    } else {
      try? await context.restart(after: Self.exitReason)
    }
  }

  private func fail(_ error: any Error) async {
    if execution.isLossTold { return }
    let event: OutputEvent? =
      switch error {
      case KernelEnd.died(let how), KernelEnd.diedBefore(let how): .failure(.kernelDied, how)
      case KernelEnd.restarted: .failure(.kernelRestarted, KernelEnd.restarted.explanation)
      case KernelEnd.connectionLost(let reason): .failure(.connectionLost, reason)
      case KernelEnd.shutDown(let reason): .failure(.kernelDied, reason)
      case is CancellationError: nil
      case is SilentCodeFailure where execution.isInterrupted:
        .failure(.executionInterrupted, "the execution was interrupted before the code ran")
      case let failure as SilentCodeFailure:
        .failure(.executionInterrupted, "the code did not run: `env_vars` could not be set: \(failure)")
      default: .failure(.connectionLost, "\(error)")
      }
    if let event { await sink.send([event]) }
  }

  // MARK: Its environment

  /// Sets the variables in a kernel that does not do so itself; gives the metadata of the request.
  private func prepareEnvironment(in kernel: Kernel) async throws -> Bytes {
    guard let environment = order.environment else { return "{}" }
    if kernel.supportedFeatures.contains(ExecutionEnvironment.feature) { return environment.metadata }
    changedEnvironment = environment.code
    try await kernel.runSilently(environment.code.set)
    return "{}"
  }

  /// A late interrupt may hit the code that restores. Running it twice does no harm.
  private func restore(_ environment: EnvironmentCode, in kernel: Kernel) async {
    for _ in 0..<3 {
      do {
        return try await withDeadline(Self.afterthoughtLimit) {
          try await kernel.runSilently(environment.restore)
        }
      } catch is SilentCodeFailure {
        continue
      } catch is DeadlineExceeded {
        return logger.warning("the kernel is still busy: its environment variables are not put back")
      } catch {
        return
      }
    }
  }
}
