import Bytes
import HTTPServer
import Jupyter
import Logging
import Loop

/// All executions: those that wait or run, and for a while those that have ended. Once the server drains, no new ones are
/// admitted.
@LoopActor
final class ExecutionStore {
  let options: ExecutionOptions
  private let logger: Logger
  private let account = JournalAccount()
  private var resources: [String: ExecutionResource] = [:]
  /// Those that clients have named, and whose context is not there yet.
  private var starting: [String: Starting] = [:]
  private var ended = EndedExecutions<ExecutionResource>()
  private var expiry: Deadline?
  private var count = 0
  private var liveCount = 0
  /// The bytes of requests that outlive their connections.
  private var detachedSize = 0
  private var isDraining = false
  /// Fulfilled when no execution is under way any more.
  private var isEmpty: Promise<Void>?

  /// Requests of at most so many bytes are not worth counting.
  private static let uncountedSize = 16 << 10
  /// The lines of all ended executions together have at most so many times `journalLimit` bytes.
  private static let mostJournals: Int64 = 4

  private struct Starting {
    let fingerprint: Bytes
    let resource: Promise<Result<ExecutionResource, any Error>>
  }

  init(_ options: ExecutionOptions, logger: Logger) {
    self.options = options
    self.logger = logger
  }

  /// - Throws: `HTTPErrorResponse` 503 while the server drains.
  func admit() throws {
    if isDraining { throw HTTPErrorResponse.unavailable("The server is shutting down") }
  }

  // MARK: Finding

  /// All, oldest first.
  var all: [ExecutionResource] { resources.values.sorted { $0.number < $1.number } }

  /// - Throws: `HTTPErrorResponse` 404.
  func find(_ identifier: Bytes) throws -> ExecutionResource {
    let limit = ExecuteRequest.longestIdentifier
    guard let resource = identifier.ascii(atMost: limit).flatMap({ resources[$0] }) else {
      throw HTTPErrorResponse(404, "Execution \(identifier.excerpt(atMost: limit)) not found")
    }
    return resource
  }

  // MARK: Starting

  /// The execution of that name, if the client has sent the same request before; else what `start` makes.
  ///
  /// - Throws: `HTTPErrorResponse` 409 if it was another request; what `start` throws, to all that sent the request meanwhile.
  func once(
    _ identifier: String, _ fingerprint: Bytes, start: @LoopActor () async throws -> ExecutionResource
  ) async throws -> ExecutionResource {
    if let resource = resources[identifier] {
      try Self.check(resource.fingerprint == fingerprint, identifier)
      return resource
    }
    if let other = starting[identifier] {
      try Self.check(other.fingerprint == fingerprint, identifier)
      return try await other.resource.get().get()
    }
    let promise = Promise<Result<ExecutionResource, any Error>>()
    starting[identifier] = Starting(fingerprint: fingerprint, resource: promise)
    defer { starting[identifier] = nil }
    do {
      let resource = try await start()
      promise.fulfil(.success(resource))
      return resource
    } catch {
      promise.fulfil(.failure(error))
      throw error
    }
  }

  private static func check(_ isSameRequest: Bool, _ identifier: String) throws {
    if isSameRequest { return }
    throw HTTPErrorResponse(409, "The execution_id \(identifier) is in use for another request")
  }

  /// A new execution, which is in the list.
  ///
  /// - Parameters:
  ///   - keepsLines: true where clients may read the lines later.
  ///   - endsWithReaders: true if the code is to end when nobody reads the lines any more.
  ///   - size: the size of the request in bytes, if it outlives its connection. Until then `HTTPServer` counts it.
  /// - Throws: `HTTPErrorResponse` 503 if too much would be in memory.
  func add(
    _ identifier: String, in context: Context, fingerprint: Bytes? = nil, keepsLines: Bool,
    endsWithReaders: Bool = false, size: Int = 0
  ) throws -> ExecutionResource {
    guard size <= Self.uncountedSize || detachedSize + size <= options.mostDetached else {
      throw HTTPErrorResponse.unavailable("Too many long requests wait or run (--max-body-memory)")
    }
    detachedSize += size
    let record = ExecutionRecord(
      identifier: identifier, contextIdentifier: context.identifier, language: context.language)
    count += 1
    let journal =
      keepsLines
      ? Journal(
        capacity: options.journalLimit, directory: options.journalDirectory, account: account, logger: logger)
      : nil
    let resource = ExecutionResource(
      record, number: count, size: size, journal: journal, fingerprint: fingerprint,
      endsWithReaders: endsWithReaders, mostReaders: options.mostReaders)
    resources[identifier] = resource
    return resource
  }

  /// Begins an execution; `follow` must be called next, in any task. Executions run in the order in which they begin.
  func begin(_ resource: ExecutionResource, _ run: ExecutionRun) {
    liveCount += 1
    resource.begin(run)
  }

  /// Runs what has begun to its end, and keeps its record for a while.
  func follow(_ resource: ExecutionResource) async {
    await resource.follow()
    liveCount -= 1
    detachedSize -= resource.size
    keep(resource)
    if liveCount == 0 { isEmpty?.fulfil(()) }
  }

  // MARK: Forgetting

  /// Interrupts it, if it runs, and forgets it.
  func delete(_ resource: ExecutionResource) {
    forget(resource)
    ended.remove(resource)
    resource.interrupt()
  }

  private func forget(_ resource: ExecutionResource) {
    if resources[resource.identifier] === resource { resources[resource.identifier] = nil }
  }

  private func keep(_ resource: ExecutionResource) {
    guard resources[resource.identifier] === resource else { return }
    ended.append(resource, at: EventLoop.now, bytes: resource.journal?.keptBytes)
    while ended.count > options.mostKept, let other = ended.removeLeastWanted() { forget(other) }
    while ended.bytes > Self.mostJournals * options.journalLimit, let other = ended.removeOldestWithLines() {
      forget(other)
    }
    // As many as there are too many: a client that reads keeps a file open longer.
    for _ in 0..<max(account.fileCount - options.mostFiles, 0) {
      guard let other = ended.removeOldestWithLines(where: { $0.journal?.hasFile ?? false }) else { break }
      forget(other)
    }
    if ended.count == 1 { startExpiry() }
  }

  private func startExpiry() {
    guard let oldest = ended.oldestTime else { return }
    let age = Duration.nanoseconds(Int64(clamping: EventLoop.now - oldest))
    let expiry = expiry ?? Deadline { [weak self] in self?.expire() }
    self.expiry = expiry
    expiry.start(max(options.keepTime - age, .zero))
  }

  private func expire() {
    let now = EventLoop.now
    let keepTime = options.keepTime.nanoseconds
    while now >= keepTime, let resource = ended.removeOne(endedBy: now - keepTime) { forget(resource) }
    startExpiry()
  }

  // MARK: The end

  /// Admits no new ones, waits up to `grace` for those under way, interrupts the rest, and waits up to `afterInterrupt` for
  /// them.
  func drain(grace: Duration, afterInterrupt: Duration) async {
    isDraining = true
    defer {
      expiry?.close()
      expiry = nil
    }
    if await becomeEmpty(within: grace) { return }
    for resource in resources.values { resource.interrupt() }
    _ = await becomeEmpty(within: afterInterrupt)
  }

  private func becomeEmpty(within limit: Duration) async -> Bool {
    if liveCount == 0 { return true }
    let isEmpty = Promise<Void>()
    self.isEmpty = isEmpty
    let deadline = Deadline { isEmpty.fulfil(()) }
    defer { deadline.close() }
    deadline.start(limit)
    await isEmpty.getRegardless()
    return liveCount == 0
  }
}
