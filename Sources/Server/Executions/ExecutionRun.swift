import Bytes
import Jupyter
import Logging
import Loop
import Wire

/// Drives one execution in a context: waits for the kernel, runs the code, and restores the kernel's state for the
/// next execution.
@LoopActor
final class ExecutionRun {
  /// The parameters of an execution.
  struct Parameters: Sendable {
    /// The code: the contents of a JSON string, still escaped.
    let code: Bytes
    /// The environment variables of this execution.
    let environment: ExecutionEnvironment?
    /// How long the code may run.
    var timeout: Duration?
    /// How many bytes of output are sent; nil for all.
    var outputLimit: Int?
    /// Where the code gets its input.
    var input = ExecutionInput.none
    /// From the first interrupt until the kernel is replaced.
    var interruptGrace = Execution.defaultGrace
  }

  /// The reason for the loss of memory after an exit.
  private static let exitReason = "exit() was called"
  /// How many questions of one execution may be open. Threads may ask at the same time. Further ones find the input at its end.
  private static let mostQuestions = 16
  /// The number of kernels that may die before one receives the code.
  private static let attempts = 3
  /// The limit of the server's own requests after the code: background work of the code may keep the kernel busy.
  private static let afterthoughtLimit: Duration = .seconds(2)

  private let parameters: Parameters
  private let context: Context
  private let sink: any ExecutionSink
  /// Notes what happens.
  private let resource: ExecutionResource
  private let baseLogger: Logger
  private let waiter = AsyncMutex.Waiter()
  private var execution: Execution
  private var outputLimit: OutputLimit?
  private var input: ExecutionInput
  /// How many questions the client has not answered.
  private var openQuestions = 0
  /// Questions that came before the kernel has said that it runs the code: they come over another socket.
  private var earlyQuestions: [Message] = []
  private var kernel: Kernel?
  private var request: KernelRequest?
  private var patience: Deadline?
  private var timeout: Deadline?
  /// Interrupts in progress. They must not hit the next execution.
  private var interruptions: [Task<Void, Never>] = []
  /// True if the client was told that the context's memory is lost.
  private var isRestartTold = false
  /// The code that restores the environment after the execution.
  private var changedEnvironment: EnvironmentCode?
  private var isTurnOver = false
  /// The mark that is printed after the output, while it is awaited.
  private var mark: OutputMark?

  init(
    _ parameters: Parameters, in context: Context, sink: any ExecutionSink, resource: ExecutionResource,
    logger: Logger
  ) {
    self.parameters = parameters
    self.context = context
    self.sink = sink
    self.resource = resource
    baseLogger = logger
    execution = Execution(grace: parameters.interruptGrace)
    outputLimit = parameters.outputLimit.map { OutputLimit($0) }
    input = parameters.input
    sink.onLoss = { [weak self] in self?.interrupt() }
  }

  /// Names the execution. Few executions log anything.
  private var logger: Logger {
    var logger = baseLogger
    logger[metadataKey: "execution"] = "\(resource.identifier)"
    return logger
  }

  /// Takes its place among the executions of the context; `run` must follow.
  func enqueue() { context.mutex.enqueue(waiter) }

  /// Runs the execution. On return the output is finished, whatever happened.
  func run() async {
    // The response begins at once if the execution has to wait. Otherwise the code goes to the kernel first.
    if waiter.value == nil || !context.isReady || parameters.environment != nil { await sink.begin() }
    do {
      try await context.mutex.lock(as: waiter)
    } catch {
      await fail(error)
      await finish()
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
    await finish()
    // The response is complete. The next execution waits until the kernel's state is restored.
    endTurn()
  }

  private func finish() async {
    timeout?.close()
    if let rest = outputLimit?.finish(), !rest.isEmpty {
      outputLimit = nil
      await send(rest)
    }
    resource.finish(execution.outcome)
    await sink.finish()
  }

  private func send(_ events: [OutputEvent]) async {
    let reported = outputLimit == nil ? events : events.flatMap(limit)
    for event in reported { resource.note(event) }
    await sink.send(reported)
  }

  private func limit(_ event: OutputEvent) -> [OutputEvent] {
    guard case .stream(let name, let text, let timestamp) = event else { return [event] }
    return outputLimit?.take(name, text, timestamp) ?? [event]
  }

  /// Interrupts the code; code that has not started does not run. Repeats if the code ignores it, and finally replaces
  /// the kernel.
  func interrupt() { perform(execution.interrupt()) }

  /// Sends output of threads that earlier cells have started. Output before the kernel has started the code belongs to
  /// no execution.
  func receiveUnsolicited(_ message: Message) async {
    if let mark, message.header.type == .stream,
      (try? message.content())?["text"]?.isString(mark.text) == true
    {
      return mark.isPrinted.fulfil(())
    }
    guard execution.isAccepted, let events = try? OutputEvent.output(of: message) else { return }
    await send(events)
  }

  /// Reports dropped output, in its place in the stream.
  func receive(_ loss: OutputLoss) async { await send(execution.receive(loss)) }

  // MARK: Running

  /// A kernel may die unnoticed before it receives the code. The code has had no effect then, so the next kernel runs
  /// it.
  private func runInTurn() async throws {
    for _ in 1..<Self.attempts {
      do {
        return try await runOnce()
      } catch KernelEnd.diedBefore(let how) {
        logger.info("the kernel died before it received the code", metadata: ["reason": "\(how)"])
        execution.kernelMissed()
      }
    }
    try await runOnce()
  }

  private func runOnce() async throws {
    let kernel = try await context.ready()
    if execution.isInterrupted { return await tellCancelled() }
    self.kernel = kernel
    execution.kernelTaken()
    let metadata = try await prepareEnvironment(in: kernel)
    if input.isAllowed { try await kernel.openInput() }
    let request = try await kernel.session.execution(
      of: parameters.code, metadata: metadata, allowsInput: input.isAllowed)
    if execution.isInterrupted { return await tellCancelled() }
    if let reason = context.takeLoss() { await tellRestart(reason) }
    self.request = request
    let replies = try await kernel.replies(to: request)
    replies.onKernelEnd { [weak self] in self?.kernelEnded($0) }
    await sink.begin()
    for try await message in replies { await receive(message) }
    await awaitLateOutput(of: kernel)
    await send(execution.lastEvents())
  }

  /// The code need not begin any more; the client, if there still is one, is told.
  private func tellCancelled() async {
    await send([Self.notRun])
  }

  private static var notRun: OutputEvent {
    .failure(.executionInterrupted, "the execution was interrupted before the code ran")
  }

  /// The first execution after an unrequested replacement reports it before everything else.
  private func tellRestart(_ reason: String) async {
    guard !isRestartTold else { return }
    isRestartTold = true
    await send([.contextRestarted(reason: reason)])
  }

  private func receive(_ message: Message) async {
    if message.channel == .stdin { return await receiveQuestion(message) }
    let wasAccepted = execution.isAccepted
    do {
      let events = try execution.receive(message)
      if !events.isEmpty { await send(events) }
    } catch {
      // The content is lost, but the client learns that there was a message.
      logger.error("message of the kernel is not JSON", metadata: ["type": "\(message.header.type.rawValue)"])
      await send([.failure(.connectionLost, "a message of the kernel was not JSON: \(error)")])
    }
    // The kernel's next message may be its end.
    if execution.endsKernel, let kernel { context.expectEnd(of: kernel, because: Self.exitReason) }
    if execution.isAccepted, !wasAccepted {
      context.executionCount = resource.record.executionCount
      if let limit = parameters.timeout { startTimeout(limit) }
      for question in earlyQuestions { await receiveQuestion(question) }
      earlyQuestions = []
    }
    perform(execution.findReply())
  }

  // MARK: Input

  /// Answers what the code waits for; false where it waits for nothing.
  ///
  /// - Parameter text: the contents of a JSON string.
  func answer(_ text: Bytes) async -> Bool {
    guard openQuestions > 0, let kernel, !execution.isComplete else { return false }
    openQuestions -= 1
    resource.wait(forInput: openQuestions > 0)
    await kernel.answer(text)
    return true
  }

  private func receiveQuestion(_ message: Message) async {
    guard let kernel, message.header.type == .inputRequest, let content = try? message.content() else {
      return
    }
    guard execution.isAccepted else {
      guard earlyQuestions.count < Self.mostQuestions else { return await refuseQuestion(of: kernel) }
      return earlyQuestions.append(message)
    }
    let prompt = content["prompt"]?.stringContents ?? Bytes()
    let isPassword = content["password"]?.bool == true
    switch input {
    case .none: break
    case .client:
      guard openQuestions < Self.mostQuestions else { return await refuseQuestion(of: kernel) }
      openQuestions += 1
      resource.wait(forInput: true)
      await send([.inputRequest(prompt: prompt, isPassword: isPassword)])
    case .lines(var lines):
      // As a program shows it whose input is no terminal.
      if !prompt.isEmpty {
        await send([.stream(isPassword ? .stderr : .stdout, text: prompt, timestamp: message.header.date)])
      }
      let line = lines.next()
      input = .lines(lines)
      await kernel.answer(line)
    }
  }

  /// Code that asked and got no answer would wait for ever.
  private func refuseQuestion(of kernel: Kernel) async {
    logger.warning("the code asks too much at once", metadata: ["open": "\(Self.mostQuestions)"])
    await kernel.answer(InputLines.end)
  }

  // MARK: Its time

  /// From now on the kernel runs the code.
  private func startTimeout(_ limit: Duration) {
    let timeout = Deadline { [weak self] in
      guard let self else { return }
      let actions = self.execution.timeOut(after: limit)
      if actions.isEmpty { return }
      self.logger.info("the code is over its time", metadata: ["limit": "\(limit.secondsText) s"])
      self.perform(actions)
    }
    self.timeout = timeout
    timeout.start(limit)
  }

  /// Output that a kernel sends after its status `idle` still belongs to this execution.
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

  /// A mark that silent code prints after the output of an execution.
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
      case .endChildren: endChildren()
      case .wait(let duration): startPatience(duration)
      case .findReply:
        guard let kernel, let request else { continue }
        LoopActor.task { await kernel.concludeIfLost(request) }
      case .replaceKernel:
        logger.warning("the code ignores interrupts: its kernel is replaced")
        interruptions.append(
          LoopActor.task { try? await self.context.restart(after: "the code ignored all interrupts") })
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

  private func endChildren() {
    guard let kernel else { return }
    interruptions.append(
      LoopActor.task {
        guard await kernel.endChildren() else { return }
        self.logger.info("the code does not obey interrupts: the processes that it has started are killed")
      })
  }

  private func startPatience(_ duration: Duration) {
    let patience = patience ?? Deadline { [weak self] in self?.interruptTimedOut() }
    self.patience = patience
    patience.start(duration)
  }

  private func interruptTimedOut() {
    logger.info("the code ignores the interrupt", metadata: ["state": "\(execution.state)"])
    perform(execution.interruptTimedOut())
  }

  // MARK: Ending

  /// The next execution must not wait for a client that does not read.
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

  /// The next execution starts when no interrupt can hit it and the environment is restored.
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

  /// The code has asked its kernel to exit. A kernel that does so by itself takes a moment, in which it loses further
  /// requests. Other kernels must be restarted.
  private func end(_ kernel: Kernel) async {
    if kernel.language.endsByItself {
      try? await withDeadline(Self.afterthoughtLimit) { try await kernel.untilEnd() }
    } else {
      try? await context.restart(after: Self.exitReason)
    }
  }

  private func fail(_ error: any Error) async {
    if !execution.isInterrupted, !(error is CancellationError), !(error is SilentCodeFailure) {
      execution.lose()
    }
    if execution.isLossReported { return }
    let event: OutputEvent =
      switch error {
      case KernelEnd.died(let how), KernelEnd.diedBefore(let how): .failure(.kernelDied, how)
      case KernelEnd.restarted: .failure(.kernelRestarted, KernelEnd.restarted.explanation)
      case KernelEnd.connectionLost(let reason): .failure(.connectionLost, reason)
      case KernelEnd.shutDown(let reason): .failure(.kernelDied, reason)
      case is CancellationError: Self.notRun
      case is SilentCodeFailure where execution.isInterrupted: Self.notRun
      case let failure as SilentCodeFailure:
        .failure(.executionInterrupted, "the code did not run: `env_vars` could not be set: \(failure)")
      default: .failure(.connectionLost, "\(error)")
      }
    await send([execution.reported(event, keepsMemory: false)])
  }

  // MARK: Environment

  /// Sets the variables, unless the kernel does that itself; returns the metadata of the request.
  private func prepareEnvironment(in kernel: Kernel) async throws -> Bytes {
    guard let environment = parameters.environment else { return "{}" }
    if kernel.supportedFeatures.contains(ExecutionEnvironment.feature) { return environment.metadata }
    changedEnvironment = environment.code
    try await kernel.runSilently(environment.code.set)
    return "{}"
  }

  /// A late interrupt may hit the restoring code, which is idempotent.
  private func restore(_ environment: EnvironmentCode, in kernel: Kernel) async {
    for _ in 0..<3 {
      do {
        return try await withDeadline(Self.afterthoughtLimit) {
          try await kernel.runSilently(environment.restore)
        }
      } catch is SilentCodeFailure {
        continue
      } catch is DeadlineExceeded {
        return logger.warning("the kernel is still busy: its environment variables are not restored")
      } catch {
        return
      }
    }
  }
}
