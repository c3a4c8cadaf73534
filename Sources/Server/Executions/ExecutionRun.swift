import HTTPServer
import Jupyter
import Logging
import Loop
import Bytes
import Wire

/// One execution on its way through a context: waits for its turn, runs, and leaves the kernel as the next one wants it.
@LoopActor
final class ExecutionRun {
  /// What a client asks for.
  struct Order: Sendable {
    /// The code: the contents of a JSON string, still escaped, as the kernel gets it.
    let code: Bytes
    /// The variables of this execution alone.
    let environment: ExecutionEnvironment?
  }

  /// Code that goes on after an interrupt is interrupted again after this, then after twice as long, and so on, and
  /// at last its kernel is replaced, after 13 s in all. The first repeat comes soon, since ipykernel loses an interrupt
  /// that reaches it just before the code begins; the later ones leave code the time to clean up.
  static let patience: Duration = .milliseconds(100)
  private static let interruptsBeforeRestart = 7
  /// Why the memory of a context is gone whose code has ended its kernel.
  private static let exitReason = "exit() was called"
  /// How many kernels may die before one gets the code.
  private static let attempts = 3
  /// How long a kernel that is done with the code may be kept from what we ask of it then, by what the code left running.
  private static let afterthoughtLimit: Duration = .seconds(2)

  private let order: Order
  private let context: Context
  private let sink: any ExecutionSink
  private let logger: Logger
  private let waiter = AsyncMutex.Waiter()
  private var execution = Execution()
  private var kernel: Kernel?
  private var request: KernelRequest?
  /// The kernel that the code has asked to end.
  private var endingKernel: Kernel?
  private var isAbandoned = false
  /// Interrupts on their way: the next execution must not meet one of them.
  private var interruptions: [Task<Void, Never>] = []
  /// How often the code was to end.
  private var attempts = 0
  /// What happens if the last interrupt has no effect; nil where there was none.
  private var escalation: Deadline?
  private var isLookingForReply = false
  /// The client knows that the context's memory is gone.
  private var hasToldRestart = false
  private var hasLeft = false
  /// What is to be put back into the kernel behind the execution.
  private var changedEnvironment: EnvironmentCode?

  init(_ order: Order, in context: Context, sink: any ExecutionSink, logger: Logger) {
    self.order = order
    self.context = context
    self.sink = sink
    self.logger = logger
    sink.onLoss = { [weak self] in self?.abandon() }
  }

  /// Runs to the end, whatever happens: the client's stream is finished when this returns.
  func run() async {
    // The head goes out at once, but where nothing is to be waited for the code goes to the kernel first.
    if context.mutex.isLocked || !context.isReady || order.environment != nil { await sink.begin() }
    do {
      try await context.mutex.lock(as: waiter)
    } catch {
      await fail(error)
      await sink.finish()
      return
    }
    context.current = self
    var failure: (any Error)?
    do { try await runInTurn() } catch { failure = error }
    // Nothing runs any more: a client that leaves as soon as it has the last line must not interrupt what comes next.
    kernel = nil
    if failure is KernelEnd { leave() }
    if let failure { await fail(failure) }
    await sink.finish()
    // The client has its answer; the next in line waits until the kernel is as it was.
    leave()
  }

  /// The client is gone: nobody waits for this execution, so it is interrupted at once.
  func abandon() {
    isAbandoned = true
    context.mutex.cancel(waiter)
    interrupt()
  }

  /// Interrupts the code; where it has not begun, it will not. One that does not obey is interrupted again, then its
  /// kernel is replaced.
  func interrupt() {
    guard !execution.isComplete else { return }
    execution.isInterrupted = true
    guard let kernel, escalation == nil else { return }
    lookForReply()
    // Where the code has ended, as it seems, an interrupt more could only hit what comes next.
    if !isLookingForReply || attempts == 0 { sendInterrupt(to: kernel) }
    let escalation = Deadline { [weak self] in self?.escalate() }
    self.escalation = escalation
    escalation.start(Self.patience * (1 << attempts))
    attempts += 1
  }

  private func sendInterrupt(to kernel: Kernel) {
    interruptions.append(
      LoopActor.task {
        do { try await kernel.interrupt() } catch {
          self.logger.warning("interrupt failed", metadata: ["reason": "\(error)"])
        }
      })
  }

  /// Shows output that belongs to no execution that runs: threads of earlier cells go on writing. What comes before the
  /// kernel has accepted the code was written between two executions, and belongs to neither.
  func receiveStray(_ message: Message) async {
    guard execution.isAccepted, let events = try? Execution.output(of: message) else { return }
    await sink.send(events)
  }

  /// Says that output was dropped, in its place.
  func receive(_ loss: OutputLoss) async { await sink.send(execution.receive(loss)) }

  /// A kernel may die before it gets the code, and before anybody has heard of that: the code is not to blame, and has
  /// left no trace, so the next kernel runs it.
  private func runInTurn() async throws {
    for _ in 1..<Self.attempts {
      do {
        return try await runOnce()
      } catch KernelEnd.diedBefore(let how) {
        logger.info("the kernel had died before it got the code", metadata: ["reason": "\(how)"])
        kernel = nil
      }
    }
    try await runOnce()
  }

  /// The kernel was asked to end. A Python one does so by itself, which takes a moment: whatever is sent to it until then is
  /// lost with it. Others leave it to their client, and would go on with all their memory (`q()` in IRkernel).
  private func end(_ kernel: Kernel) async {
    guard kernel.spec.language == "python" else {
      try? await context.restart(after: Self.exitReason)
      return
    }
    try? await withDeadline(Self.afterthoughtLimit) { try await kernel.untilEnd() }
  }

  private func runOnce() async throws {
    let kernel = try await context.ready()
    if await isCalledOff() { return }
    self.kernel = kernel
    let metadata = try await prepareEnvironment(in: kernel)
    let request = try await kernel.session.execution(ofLong: order.code, metadata: metadata)
    if await isCalledOff() { return }
    await tellRestart()
    self.request = request
    let replies = try await kernel.replies(to: request)
    replies.onKernelEnd { [weak self] in self?.kernelEnded($0) }
    await sink.begin()
    for try await message in replies { await receive(message) }
    if kernel.spec.language != "python" { await awaitLateOutput(of: kernel) }
    if execution.endsKernel { endingKernel = kernel }
    if execution.wantsInterruptionTold {
      await sink.send([.failure(.executionInterrupted, "the execution was interrupted")])
    }
  }

  /// The first execution in a kernel that has replaced one unasked says so before all else, once.
  private func tellRestart() async {
    guard let reason = context.takeLoss(), !hasToldRestart else { return }
    hasToldRestart = true
    await sink.send([.contextRestarted(reason: reason)])
  }

  /// True where the code need not begin any more; the client, if there still is one, is told.
  private func isCalledOff() async -> Bool {
    guard execution.isInterrupted else { return isAbandoned }
    await sink.send([.failure(.executionInterrupted, "the execution was interrupted before the code ran")])
    return true
  }

  /// Sets the variables in a kernel that does not do so itself; gives the metadata of the request.
  private func prepareEnvironment(in kernel: Kernel) async throws -> Bytes {
    guard let environment = order.environment else { return "{}" }
    if kernel.supportedFeatures.contains(ExecutionEnvironment.feature) { return environment.metadata }
    changedEnvironment = environment.code
    try await kernel.runSilently(environment.code.set)
    return "{}"
  }

  /// Deno sends a result behind its `idle` in one run of six. What comes before the answer to another question
  /// still belongs here; ipykernel keeps the order, and is spared the question.
  private func awaitLateOutput(of kernel: Kernel) async {
    try? await withDeadline(Self.afterthoughtLimit) {
      for try await message in try await kernel.replies(to: kernel.session.kernelInformation()) {
        await self.receiveStray(message)
      }
    }
  }

  private func receive(_ message: Message) async {
    do {
      let events = try execution.receive(message)
      await sink.send(events)
    } catch {
      // A kernel that sends what is not JSON: what it wanted to say cannot be told, but that it did can.
      logger.error("message of the kernel is not JSON", metadata: ["type": "\(message.header.type.rawValue)"])
      await sink.send([.failure(.connectionLost, "a message of the kernel was not JSON: \(error)")])
    }
    // Before anything else is heard of the kernel: the next may be its end.
    if execution.endsKernel, let kernel { context.endIsNear(of: kernel, because: Self.exitReason) }
    lookForReply()
  }

  /// The next execution need not wait until a client that does not read has heard that the kernel has ended.
  private func kernelEnded(_ end: KernelEnd) {
    if case .diedBefore = end { return }
    kernel = nil
    leave()
  }

  private func lookForReply() {
    guard execution.mayHaveLostItsReply, !isLookingForReply, let kernel, let request else { return }
    isLookingForReply = true
    LoopActor.task { await kernel.concludeIfLost(request) }
  }

  /// The turn ends when no interrupt can hit the next execution and the environment is as it was.
  private func leave() {
    guard !hasLeft else { return }
    hasLeft = true
    LoopActor.task { await self.passTurn() }
  }

  private func passTurn() async {
    escalation?.close()
    for interruption in interruptions { await interruption.value }
    if let changedEnvironment, let kernel = try? await context.ready() {
      await restore(changedEnvironment, in: kernel)
    }
    if let endingKernel { await end(endingKernel) }
    context.current = nil
    context.mutex.unlock()
  }

  private func escalate() {
    guard kernel != nil else { return }
    escalation?.close()
    escalation = nil
    if attempts < Self.interruptsBeforeRestart {
      logger.debug("the code does not obey the interrupt", metadata: ["interrupts": "\(attempts)"])
      interrupt()
    } else {
      logger.warning("the code obeys no interrupt: its kernel is replaced")
      kernel = nil
      interruptions.append(
        LoopActor.task { try? await self.context.restart(after: "the code obeyed no interrupt") })
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

  /// A late interrupt may hit the code that restores; it does no harm twice.
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
