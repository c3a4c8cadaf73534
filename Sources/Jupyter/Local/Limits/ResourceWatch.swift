import Loop

/// Looks at the processes of kernels with limits, all at once, and at their files, and ends the kernels that use more.
@LoopActor
final class ResourceWatch {
  /// How often it looks. A process may take a gigabyte meanwhile, which is why Python's memory is limited by the system, too.
  private static let interval: Duration = .milliseconds(500)
  /// What a kernel has to write before its files are counted, in bytes.
  private static let leastWritten: Int64 = 64 << 10
  /// Counting may take this part of the time.
  private static let countingShare = 10

  private struct Entry {
    weak var kernel: LocalKernel?
    var limited: LimitedProcesses
    let directories: [String]
  }

  private var entries: [Entry] = []
  private var task: Task<Void, Never>?
  private var counting: Task<Void, Never>?
  /// What the files in directories took when they were last counted.
  private var counts: [[String]: FileUsage] = [:]

  /// Watches a kernel until it ends.
  ///
  /// - Parameter directories: where its files are.
  func add(_ kernel: LocalKernel, _ limited: LimitedProcesses, directories: [String]) {
    entries.append(Entry(kernel: kernel, limited: limited, directories: directories))
    if task == nil { task = LoopActor.task { await self.run() } }
  }

  /// Ends the watch.
  func close() async {
    task?.cancel()
    counting?.cancel()
    await task?.value
    await counting?.value
  }

  private func run() async {
    while true {
      entries.removeAll { $0.kernel?.isAlive != true }
      let directories = Set(entries.map(\.directories))
      counts = counts.filter { directories.contains($0.key) }
      guard !entries.isEmpty, (try? await EventLoop.sleep(for: Self.interval)) != nil else { break }
      await look()
      if counting == nil { countFiles() }
    }
    task = nil
  }

  private func look() async {
    let current = entries.map(\.limited)
    let looking = Pending { () throws(UVError) in
      var kernels = current
      let excesses = LimitedProcesses.look(at: &kernels)
      return Array(zip(kernels, excesses))
    }
    guard let found = try? await looking.valueRegardless() else { return }
    // Others may have been added behind them meanwhile.
    for (index, (limited, excess)) in found.enumerated() {
      entries[index].limited = limited
      if let excess { entries[index].kernel?.end(because: excess) }
    }
  }

  // MARK: Files

  /// Begins to count the files of the kernels that have written something.
  private func countFiles() {
    let writing = entries.indices.filter {
      max(entries[$0].limited.written.disk, entries[$0].limited.written.calls) >= Self.leastWritten
    }
    guard !writing.isEmpty else { return }
    let writers = writing.map { entries[$0] }
    for index in writing { entries[index].limited.startCounting() }
    counting = LoopActor.task {
      let start = EventLoop.now
      for (directories, kernels) in Dictionary(grouping: writers, by: \.directories) {
        await self.count(directories, of: kernels)
      }
      let time = Duration.nanoseconds(EventLoop.now - start)
      try? await EventLoop.sleep(for: time * (Self.countingShare - 1))
      self.counting = nil
    }
  }

  /// Ends the kernel that has written most, if there is more of what is too much already. Whoever removes files is left to do it.
  private func count(_ directories: [String], of kernels: [Entry]) async {
    let previous = counts[directories]
    let processes = entries.filter { $0.directories == directories }.flatMap(\.limited.identifiers)
    let unnamed = Pending { FileUsage.unnamed(of: processes, onDevicesOf: directories) }
    guard let named = await FileUsage.count(in: directories) else { return }
    let files = named.adding((try? await unnamed.valueRegardless()) ?? 0)
    counts[directories] = files
    if case .bytes(let now) = files, case .bytes(let before) = previous, now <= before { return }
    let most = kernels.max { $0.limited.written < $1.limited.written }
    if let most, let excess = most.limited.limits.excess(ofFiles: files) { most.kernel?.end(because: excess) }
  }
}
