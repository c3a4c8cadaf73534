import Logging
import Loop

/// Looks at the processes of kernels with limits, all at once, and at their files, and ends the kernels that use more.
@LoopActor
final class ResourceWatch {
  /// How often it looks. A process may take a gigabyte meanwhile, which is why Python's memory is limited by the system, too.
  private static let interval: Duration = .milliseconds(500)
  /// What a kernel has to write before its files are counted, in bytes.
  private static let leastWritten: Int64 = 64 << 10
  /// How often they are counted if nothing was seen to be written: processes come and go between two looks.
  private static let longestPause: Duration = .seconds(30)
  /// Counting may take this part of the time, but the pause is not longer than `longestRest`.
  private static let countingShare = 10
  private static let longestRest: Duration = .seconds(5)

  private struct Entry {
    weak var kernel: LocalKernel?
    var limited: LimitedProcesses
    /// Its working directory, which others may have, too.
    let directory: String
    /// The one that is its own; nil if it is not isolated.
    let own: String?
    /// The least that its files have taken whenever they were counted.
    var files: FileUsage?
  }

  private let logger: Logger
  private var entries: [Entry] = []
  private var task: Task<Void, Never>?
  private var counting: Task<Void, Never>?
  private var lastCountOfAll: UInt64 = 0
  /// What the files in working directories took, and when that was counted.
  private var counts: [String: (files: FileUsage, time: UInt64)] = [:]
  private var hasWarned = false

  init(logger: Logger) { self.logger = logger }

  /// Watches a kernel until it ends.
  ///
  /// - Parameters:
  ///   - directory: its working directory. What is there already is not the kernel's doing.
  ///   - own: the directory that nobody else has; nil if there is none.
  func add(_ kernel: LocalKernel, _ limited: LimitedProcesses, directory: String, own: String?) async {
    var entry = Entry(kernel: kernel, limited: limited, directory: directory, own: own)
    if limited.limits.disk != nil, let shared = await recentCount(of: directory) {
      entry.files = await files(of: entry, shared)
    }
    entries.append(entry)
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
      let directories = Set(entries.map(\.directory))
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

  /// Begins to count the files of the kernels that have written something, and of all now and then.
  private func countFiles() {
    let limited = entries.filter { $0.limited.limits.disk != nil }
    let isDue = EventLoop.now - lastCountOfAll >= Self.longestPause.nanoseconds
    let writers = limited.filter { isDue || $0.limited.written.isAtLeast(Self.leastWritten) }
    guard !writers.isEmpty else { return }
    if isDue { lastCountOfAll = EventLoop.now }
    for index in entries.indices where entries[index].limited.written.isAtLeast(Self.leastWritten) {
      entries[index].limited.startCounting()
    }
    counting = LoopActor.task {
      let start = EventLoop.now
      for (directory, kernels) in Dictionary(grouping: writers, by: \.directory) {
        await self.count(directory, of: kernels)
      }
      let time = Duration.nanoseconds(EventLoop.now - start)
      try? await EventLoop.sleep(for: min(time * (Self.countingShare - 1), Self.longestRest))
      self.counting = nil
    }
  }

  /// Ends the kernel that has written most, if there is more of what is too much already. Whoever removes files is left to do it.
  private func count(_ directory: String, of kernels: [Entry]) async {
    guard let shared = await count(directory) else { return }
    var suspects: [(written: WriteCounts, kernel: LocalKernel, excess: String)] = []
    for entry in kernels {
      guard let kernel = entry.kernel, let files = await files(of: entry, shared) else { continue }
      guard let least = entry.files, files.isMore(than: least.adding(Self.leastWritten)) else {
        if let index = entries.firstIndex(where: { $0.kernel === kernel }) {
          entries[index].files = entry.files.map { files.isMore(than: $0) ? $0 : files } ?? files
        }
        continue
      }
      if let excess = entry.limited.limits.excess(ofFiles: files) {
        suspects.append((entry.limited.written, kernel, excess))
      }
    }
    let most = suspects.max { $0.written < $1.written }
    // Where nobody was seen to write, it is known only if there is nobody else.
    guard let most, suspects.count == 1 || most.written.isAtLeast(Self.leastWritten) else { return }
    most.kernel.end(because: most.excess)
  }

  /// All files of a kernel: those that it shares, its own, and those without a name.
  private func files(of entry: Entry, _ shared: FileUsage) async -> FileUsage? {
    let processes = entry.limited.identifiers
    let directories = [entry.directory] + (entry.own.map { [$0] } ?? [])
    let unnamed = Pending { FileUsage.unnamed(of: processes, onDevicesOf: directories) }
    var files = shared.adding((try? await unnamed.valueRegardless()) ?? 0)
    if let own = entry.own {
      guard let counted = await FileUsage.count(in: [own]) else { return nil }
      files = files.adding(counted)
    }
    return files
  }

  private func recentCount(of directory: String) async -> FileUsage? {
    if let (files, time) = counts[directory], EventLoop.now - time < Self.longestRest.nanoseconds {
      return files
    }
    return await count(directory)
  }

  private func count(_ directory: String) async -> FileUsage? {
    let files = await FileUsage.count(in: [directory])
    counts[directory] = files.map { ($0, EventLoop.now) }
    if files == nil, !hasWarned, !Task.isCancelled {
      hasWarned = true
      logger.warning("files cannot be counted (du): `disk_limit` is not enforced")
    }
    return files
  }
}
