import CUV
import DequeModule
import Glibc
import Synchronization

/// The libuv loop as a Swift executor: jobs run one after the other between polls, on the thread that called `run`.
///
/// `@unchecked Sendable`: other threads use only the mutex and the atomic. Everything else belongs to the loop's thread,
/// which `assert`s check.
public final class EventLoop: SerialExecutor, @unchecked Sendable {
  /// The one loop of the process.
  public static let shared = EventLoop()

  /// A job, and whether its task prefers `TaskPreference`: it must then be run with that preference.
  private struct Entry {
    let job: UnownedJob
    var isPreferring: Bool
  }

  /// Jobs from other threads, and how to wake the loop for them.
  private struct ForeignJobs: @unchecked Sendable {
    var jobs = Deque<Entry>()
    var isWoken = false
    /// nil while no loop runs; jobs then wait for the next one.
    var wakeUp: UnsafeMutablePointer<uv_async_t>?
  }

  private let foreign = Mutex(ForeignJobs())
  private let thread = Atomic<UInt>(0)

  /// Belongs to the loop's thread, as do all properties below.
  let raw = UnsafeMutablePointer<uv_loop_t>.allocate(capacity: 1)
  private var jobs = Deque<Entry>()
  private var current: Entry?
  private var pump: JobPump?
  private var isRunning = false
  private var afterTurn: [@LoopActor () -> Void] = []
  /// How often a job was run with the wrong preference; for tests.
  private(set) var mismatchCount = 0

  private init() {}

  /// Monotonic time in nanoseconds, from an arbitrary start.
  public static var now: UInt64 { uv_hrtime() }

  /// True on the thread that is inside `run`.
  var isOnLoopThread: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

  // MARK: The executor

  /// Queues a job. From the loop's own thread this takes no lock.
  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    // A job that queues itself while it runs was run with the wrong preference. Swift does not tell the right one, but
    // there are only two.
    let isMismatched = isOnLoopThread && current.map { $0.job.isIdentical(to: job) } ?? false
    if isMismatched { mismatchCount += 1 }
    enqueue(Entry(job: job, isPreferring: isMismatched ? current?.isPreferring == false : false))
  }

  /// Queues a job of a task that prefers the loop.
  func enqueuePreferring(_ job: UnownedJob) { enqueue(Entry(job: job, isPreferring: true)) }

  private func enqueue(_ entry: Entry) {
    guard !isOnLoopThread else {
      jobs.append(entry)
      return
    }
    foreign.withLock { foreign in
      foreign.jobs.append(entry)
      guard !foreign.isWoken, let wakeUp = foreign.wakeUp else { return }
      foreign.isWoken = true
      uv_async_send(wakeUp)
    }
  }

  /// True when the caller is on the loop's thread.
  public func isIsolatingCurrentContext() -> Bool? { isOnLoopThread }

  /// Stops the program when the caller is not on the loop's thread.
  public func checkIsolated() {
    precondition(isOnLoopThread, "this code must run on the loop")
  }

  /// How long jobs that queue further jobs may run before the loop polls the sockets, in nanoseconds. A burst of kernel
  /// messages takes about ten rounds of jobs. A poll after each round would cost a system call, and would send what the
  /// rounds write in pieces.
  private static let longestTurn: UInt64 = 100_000

  /// Runs the queued jobs, and those that they queue, until none is left or `longestTurn` is over.
  func drain() {
    assert(isOnLoopThread)
    if !jobs.isEmpty {
      let end = EventLoop.now + Self.longestTurn
      repeat { runQueuedJobs() } while !jobs.isEmpty && EventLoop.now < end
    }
    finishTurn()
    // With jobs left the next poll must not block.
    pump?.keepTurning(!jobs.isEmpty)
  }

  private func runQueuedJobs() {
    let executor = asUnownedSerialExecutor()
    let preference = TaskPreference.shared.asUnownedTaskExecutor()
    for _ in 0..<jobs.count {
      guard let entry = jobs.popFirst() else { break }
      current = entry
      if entry.isPreferring {
        entry.job.runSynchronously(isolatedTo: executor, taskExecutor: preference)
      } else {
        entry.job.runSynchronously(on: executor)
      }
    }
    current = nil
  }

  /// Runs `work` after the jobs of this turn, before the loop polls. Several calls run in their order. It serves work that
  /// many jobs add to and that is done once, such as a gathering write.
  @LoopActor public func atEndOfTurn(_ work: @escaping @LoopActor () -> Void) { afterTurn.append(work) }

  private func finishTurn() {
    guard !afterTurn.isEmpty else { return }
    let work = exchange(&afterTurn, with: [])
    LoopActor.enter { for item in work { item() } }
  }

  /// Moves the jobs of other threads to the end of the queue.
  func adoptForeignJobs() {
    assert(isOnLoopThread)
    let arrived = foreign.withLock { foreign in
      foreign.isWoken = false
      return exchange(&foreign.jobs, with: Deque())
    }
    jobs.append(contentsOf: arrived)
  }

  // MARK: Running

  /// Runs `main` on the loop, on the caller's thread, then closes the loop and returns the result of `main`.
  ///
  /// `main` must close all handles before it returns. Open ones are reported to `Handle.onForgottenHandle`, and stop a debug
  /// build.
  public func run(_ main: @escaping @LoopActor @Sendable () async -> Int32) -> Int32 {
    open()
    let result = ExitCode()
    LoopActor.task {
      result.value = await main()
      uv_stop(EventLoop.shared.raw)
    }
    while result.current == nil { uv_run(raw, UV_RUN_DEFAULT) }
    settle()
    close()
    return result.current ?? 0
  }

  private func open() {
    precondition(!isRunning && thread.load(ordering: .relaxed) == 0, "the loop runs already")
    // A write to a closed connection fails with EPIPE instead of ending the process.
    signal(SIGPIPE, SIG_IGN)
    // Likewise EFBIG for a file that exceeds the size limit (`ulimit -f`).
    signal(SIGXFSZ, SIG_IGN)
    isRunning = true
    thread.store(UInt(pthread_self()), ordering: .relaxed)
    precondition(uv_loop_init(raw) == 0, "no file descriptors or memory for the loop")
    LoopActor.enter {
      pump = try? JobPump(of: raw)
      foreign.withLock { $0.wakeUp = pump?.wakeUp }
    }
    precondition(pump != nil, "no file descriptor to wake the loop by")
    adoptForeignJobs()
  }

  /// Lets the tasks end that `main` has cancelled. The number of turns is limited, as a task may never end.
  private func settle() {
    for _ in 0..<1000 {
      guard !jobs.isEmpty || raw.pointee.closing_handles != nil else { return }
      uv_run(raw, UV_RUN_NOWAIT)
    }
  }

  private func close() {
    foreign.withLock { $0.wakeUp = nil }
    LoopActor.enter { pump?.close() }
    pump = nil
    // One turn runs the close callbacks. A second one could block on a handle that was not closed.
    uv_run(raw, UV_RUN_NOWAIT)
    if uv_loop_close(raw) != 0 {
      let left = Handle.describeAll(of: raw)
      Handle.report("the loop was left with open handles: \(left)")
      assertionFailure(left)
    }
    thread.store(0, ordering: .relaxed)
    isRunning = false
  }
}

/// What `main` returned. An object of its own, because `run` reads it outside of the actor.
private final class ExitCode: @unchecked Sendable {
  @LoopActor var value: Int32? {
    get { current }
    set { current = newValue }
  }
  var current: Int32?
}
