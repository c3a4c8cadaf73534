import CUV
import Glibc

/// The living processes that show the signs of some that have ended, or descend from one that does: all by one look at the
/// process table. Blocks.
struct Descendants {
  /// How long to wait for the end of those that were killed. They are gone within 2 ms, unless a disk holds them up.
  private static let patienceMilliseconds: CInt = 20
  /// When we were started: what was there before is nobody's whom we have started.
  private static let beginning = ProcessEntry(getpid())?.start ?? 0

  private let found: [[ProcessEntry]]

  init(of signs: [ProcessSigns]) {
    let own = getpid()
    let names = (try? Descriptor.openDirectory(path: "/proc").names()) ?? []
    let processes = names.compactMap { Int32(String(decoding: $0.bytes, as: UTF8.self)) }
      .compactMap(ProcessEntry.init)
      .filter { $0.identifier != own && $0.identifier != 1 && !$0.isDead && $0.start >= Self.beginning }
    let children = Dictionary(grouping: processes, by: \.parent)
    found = signs.map { signs in
      var found = processes.filter { signs.areShown(by: $0) }
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

  /// Kills them, and waits for a moment until they are gone.
  /// - Returns: for each of the signs the processes that there were.
  func kill() -> [[Int32]] {
    let killed = found.joined().compactMap { process -> ProcessDescriptor? in
      guard let descriptor = try? ProcessDescriptor(process.identifier),
        ProcessEntry(process.identifier)?.start == process.start
      else { return nil }
      descriptor.send(.kill)
      return descriptor
    }
    Self.awaitEnds(of: killed)
    return found.map { $0.map(\.identifier) }
  }

  private static func awaitEnds(of processes: [ProcessDescriptor]) {
    let end = uv_hrtime() + UInt64(patienceMilliseconds) * 1_000_000
    for process in processes {
      guard let number = process.descriptor?.number else {
        usleep(2000)
        continue
      }
      let now = uv_hrtime()
      var state = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
      if now < end { poll(&state, 1, CInt((end - now) / 1_000_000) + 1) }
    }
  }
}
