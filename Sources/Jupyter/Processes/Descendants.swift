import Loop

/// The processes that a kernel has left behind: those with its tag, and their descendants.
///
/// Some systems deny tags. There, the session and an environment variable identify the processes, but a process can
/// lose both.
struct Descendants: Sendable {
  /// The session that the kernel led.
  let session: Int32
  let tag: ProcessTag
  /// A `NAME=value` in the environment of the kernel.
  let variable: [UInt8]
  /// The process that is not killed: the kernel itself, while it lives.
  let spared: Int32?

  init(session: Int32, tag: ProcessTag, variable: String, sparing spared: Int32? = nil) {
    self.spared = spared
    self.session = session
    self.tag = tag
    self.variable = Array(variable.utf8)
  }

  /// True if this process was started by the kernel, not taking its parents into account.
  private func contains(_ process: ProcessEntry) -> Bool {
    if process.session == session || process.tag == tag { return true }
    // A process with another tag of the series descends from another kernel.
    if let other = process.tag, other.isSibling(of: tag) { return false }
    return process.hasVariable(variable)
  }

  /// The processes of the kernel among `processes`.
  private func search(
    _ processes: [ProcessEntry], children: [Int32: [ProcessEntry]]
  ) -> [ProcessEntry] {
    var found = processes.filter(contains)
    var identifiers = Set(found.map(\.identifier))
    var next = 0
    while next < found.count {
      for child in children[found[next].identifier] ?? []
      where identifiers.insert(child.identifier).inserted {
        found.append(child)
      }
      next += 1
    }
    return found
  }
}

// MARK: On the thread pool

extension Descendants {
  /// How long to wait for killed processes to end. They take up to 2 ms, unless a disk delays them.
  private static let endLimit: Duration = .milliseconds(20)
  /// The start of this process. Older processes are not ours.
  private static let beginning = ProcessEntry(CurrentProcess.identifier)?.start ?? 0

  /// Reads the process table once; the processes of each kernel. Blocks.
  static func find(_ kernels: [Descendants]) -> [[ProcessEntry]] {
    let processes = self.processes()
    let children = Dictionary(grouping: processes, by: \.parent)
    return kernels.map { $0.search(processes, children: children) }
  }

  /// Reads the process table once, kills the descendants of several kernels, and waits briefly for their end. Blocks.
  /// - Returns: for each kernel, the processes that were found.
  private static func killFound(_ kernels: [Descendants]) -> [[Int32]] {
    let found = zip(kernels, find(kernels)).map { kernel, processes in
      processes.filter { $0.identifier != kernel.spared }
    }
    let killed = found.joined().compactMap { process -> ProcessDescriptor? in
      guard let descriptor = try? ProcessDescriptor(process.identifier),
        ProcessEntry(process.identifier)?.start == process.start
      else { return nil }
      descriptor.send(.kill)
      return descriptor
    }
    ProcessDescriptor.awaitEnds(of: killed, for: endLimit)
    return found.map { $0.map(\.identifier) }
  }

  /// The processes that may be descendants of kernels.
  private static func processes() -> [ProcessEntry] {
    let identifiers = SmallFile.namesNow(in: "/proc").compactMap { Int32($0) }
    return identifiers.compactMap(ProcessEntry.init).filter {
      $0.identifier != CurrentProcess.identifier && $0.identifier != 1 && !$0.hasEnded
        && $0.start >= beginning
    }
  }
}

extension Descendants {
  /// The process table as it was within the last second, however many ask for it.
  @LoopActor private static let table = CachedValue {
    try await Pending { processes() }.valueRegardless()
  }

  /// What the processes use. The table of processes is at most a second old, unless the kernel is younger.
  ///
  /// - Throws: `UVError`.
  @LoopActor
  func usage() async throws -> ProcessUsage {
    var processes = try await Self.table.value(maximumAge: .seconds(1))
    if !processes.contains(where: { $0.identifier == session }) {
      processes = try await Self.table.value(maximumAge: .zero)
    }
    let current = processes
    return try await Pending {
      let children = Dictionary(grouping: current, by: \.parent)
      return ProcessUsage(of: search(current, children: children).map(\.identifier))
    }.valueRegardless()
  }
}

// MARK: On the loop

/// One search serves all kernels that end at the same time, in one thread of the pool. 64 contexts that were deleted at
/// once would otherwise occupy all four threads for seconds, and file requests would wait.
extension Descendants {
  /// A search finds in the next round what was forked during this one. A fork bomb is not worth more rounds.
  private static let maximumRounds = 50
  /// The time between two rounds, in which killed processes end.
  private static let pause: Duration = .milliseconds(2)

  private struct Search {
    let descendants: Descendants
    let left = Promise<[Int32]>()
    var rounds = 0
  }

  @LoopActor private static var searches: [Search] = []
  @LoopActor private static var isSearching = false
  /// How often the process table was read; for tests.
  @LoopActor private(set) static var roundCount = 0

  /// Kills the processes, round by round until none is found. Takes some milliseconds.
  ///
  /// - Returns: the processes that did not end.
  @LoopActor
  func kill() async -> [Int32] {
    let search = Search(descendants: self)
    Self.searches.append(search)
    if !Self.isSearching {
      Self.isSearching = true
      LoopActor.task { await Self.runSearches() }
    }
    return await search.left.getRegardless()
  }

  @LoopActor
  private static func runSearches() async {
    while !searches.isEmpty {
      let unfinished = await runRound(exchange(&searches, with: []))
      // A search that began during the round does not wait for the pause.
      if searches.isEmpty && !unfinished.isEmpty { try? await EventLoop.sleep(for: pause) }
      searches += unfinished
    }
    isSearching = false
  }

  /// - Returns: the searches that found something, and so need another round.
  @LoopActor
  private static func runRound(_ searches: [Search]) async -> [Search] {
    let kernels = searches.map(\.descendants)
    roundCount += 1
    let found = (try? await Pending { killFound(kernels) }.valueRegardless()) ?? kernels.map { _ in [] }
    var unfinished: [Search] = []
    for (var search, processes) in zip(searches, found) {
      search.rounds += 1
      if processes.isEmpty || search.rounds > maximumRounds {
        search.left.fulfil(processes)
      } else {
        unfinished.append(search)
      }
    }
    return unfinished
  }
}
