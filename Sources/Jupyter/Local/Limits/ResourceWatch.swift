import Loop

/// Looks at the processes of kernels with limits, all at once, and ends the kernels that use more.
@LoopActor
final class ResourceWatch {
  /// How often it looks. A process may take a gigabyte meanwhile, which is why Python's memory is limited by the system, too.
  private static let interval: Duration = .milliseconds(500)

  private struct Entry {
    weak var kernel: LocalKernel?
    var limited: LimitedProcesses
  }

  private var entries: [Entry] = []
  private var task: Task<Void, Never>?

  /// Watches a kernel until it ends.
  func add(_ kernel: LocalKernel, _ limited: LimitedProcesses) {
    entries.append(Entry(kernel: kernel, limited: limited))
    if task == nil { task = LoopActor.task { await self.run() } }
  }

  /// Ends the watch.
  func close() async {
    task?.cancel()
    await task?.value
  }

  private func run() async {
    while true {
      entries.removeAll { $0.kernel?.isAlive != true }
      guard !entries.isEmpty, (try? await EventLoop.sleep(for: Self.interval)) != nil else { break }
      await look()
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
}
