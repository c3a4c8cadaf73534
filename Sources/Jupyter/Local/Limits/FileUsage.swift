import Loop
import Bytes

/// What the files in some directories take.
enum FileUsage: Sendable, Equatable {
  /// The space that they have on their disks.
  case bytes(Int64)
  /// They are so many that counting them takes too long.
  case countless

  /// How long counting may take. A million files take some seconds.
  private static let limit: Duration = .seconds(30)
  /// 16,384 take some 50 ms.
  private static let mostDescriptors = 16 << 10
  /// In bytes. The last line has the sum.
  private static let longestLine = 4096

  /// Counts them, each once, also if it has several names. `du` does it, in a process of its own: code may have made trees of any depth.
  ///
  /// - Returns: nil if that is not possible.
  @LoopActor
  static func count(in directories: [String]) async -> FileUsage? {
    // Of other file systems, such as one that is mounted in a workspace, this limit says nothing.
    guard
      let du = try? ChildProcess.spawn(
        executable: "du",
        arguments: [
          "--summarize", "--total", "--dereference-args", "--one-file-system", "--block-size=1", "--",
        ] + directories,
        standardOutput: .pipe, standardError: .null, diesWithParent: true),
      let output = du.standardOutput
    else { return nil }
    defer { output.abort() }
    do {
      let total = try await withDeadline(limit) {
        let reader = LineReader(stream: output, longestLine: longestLine)
        var last: Bytes?
        while let line = await reader.next() { last = line }
        _ = try await du.untilExit()
        return last
      }
      return total.flatMap { number(in: String($0)) }.map { .bytes($0) }
    } catch {
      try? du.kill(.kill)
      return error is DeadlineExceeded ? .countless : nil
    }
  }

  /// What files take that have no name any more, and that processes still have open. Blocks.
  ///
  /// - Parameter directories: files of other file systems, such as one in memory, do not count.
  ///
  /// Code may have opened very many: so many are looked at.
  static func unnamed(of processes: [Int32], onDevicesOf directories: [String]) -> Int64 {
    var left = mostDescriptors
    let devices = Set(directories.compactMap { FileStatus(following: $0)?.device })
    var sizes: [UInt64: Int64] = [:]
    for process in processes {
      let names = SmallFile.namesNow(in: "/proc/\(process)/fd")
      for name in names.prefix(left) {
        guard let file = FileStatus(following: "/proc/\(process)/fd/\(name)"), file.kind == .file,
          file.linkCount == 0,
          devices.contains(file.device)
        else { continue }
        sizes[file.inode] = file.allocatedSize
      }
      left -= min(names.count, left)
    }
    return sizes.values.reduce(0, &+)
  }

  /// This and so many bytes more.
  func adding(_ more: Int64) -> FileUsage { adding(.bytes(more)) }

  /// Both together.
  func adding(_ other: FileUsage) -> FileUsage {
    if case .bytes(let bytes) = self, case .bytes(let more) = other {
      .bytes(bytes &+ more)
    } else {
      .countless
    }
  }

  /// True if there is more than there was.
  func isMore(than before: FileUsage) -> Bool {
    if case .bytes(let now) = self, case .bytes(let then) = before { now > then } else { true }
  }

  /// The number at the beginning of a line.
  private static func number(in line: String) -> Int64? {
    Int64(line.prefix { $0.isASCII && $0.isNumber })
  }
}
