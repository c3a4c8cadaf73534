import CUV
import Glibc
import Memory

/// The processes of this machine, as `/proc` has them.
public enum ProcessTable {
  /// A process that forks while it is looked for is found in the next round; a fork bomb is not worth more.
  private static let rounds = 50
  private static let pauseMicroseconds: UInt32 = 2000

  /// Kills what a process that led a session has started and left behind, and what that started. All of that bears
  /// `brand`. For systems that do not let us brand processes there are signs that a child can lose: the session, a
  /// line of parents that leads to it, and `mark`, a `NAME=value` in the environment. Takes some milliseconds, on
  /// libuv's thread pool.
  ///
  /// - Returns: the processes that would not go.
  @LoopActor
  public static func end(session: Int32, brand: Brand, mark: String) async -> [Int32] {
    let signs = Signs(session: session, brand: brand, mark: Array(mark.utf8))
    return (try? await Pending { endAll(with: signs) }.valueRegardless()) ?? []
  }

  private static func endAll(with signs: Signs) -> [Int32] {
    for _ in 0..<rounds {
      let found = descendants(with: signs)
      if found.isEmpty { return [] }
      for process in found { kill(process, SIGKILL) }
      usleep(pauseMicroseconds)
    }
    return descendants(with: signs)
  }

  private static func descendants(with signs: Signs) -> [Int32] {
    let processes = systemNames(in: "/proc").compactMap(Int32.init).compactMap(ProcessEntry.init)
    let others = processes.filter { $0.identifier != getpid() && $0.identifier != 1 && !$0.isDead }
    var found = Set(others.filter { $0.shows(signs) }.map(\.identifier))
    while true {
      let children = others.filter { found.contains($0.parent) && !found.contains($0.identifier) }
      if children.isEmpty { return found.sorted() }
      found.formUnion(children.map(\.identifier))
    }
  }
}

/// What tells those that are looked for from all others.
private struct Signs: Sendable {
  let session: Int32
  let brand: Brand
  let mark: [UInt8]
}

/// What is to be known of one process.
private struct ProcessEntry {
  let identifier: Int32
  let parent: Int32
  let session: Int32
  let isDead: Bool

  /// nil where there is no such process any more.
  init?(_ identifier: Int32) {
    // The name, in parentheses, may hold anything: what counts comes behind the last one.
    guard let line = Self.read("/proc/\(identifier)/stat"), let end = line.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    let fields = line[(end + 1)...].split(separator: UInt8(ascii: " ")).map {
      String(decoding: $0, as: UTF8.self)
    }
    guard fields.count > 3, let parent = Int32(fields[1]), let session = Int32(fields[3]) else { return nil }
    self.identifier = identifier
    self.parent = parent
    self.session = session
    isDead = fields[0] == "Z" || fields[0] == "X"
  }

  /// True where it has one of them.
  func shows(_ signs: Signs) -> Bool {
    session == signs.session || bears(signs.brand) || carries(signs.mark)
  }

  private func bears(_ brand: Brand) -> Bool {
    Self.read("/proc/\(identifier)/limits").flatMap(Brand.init(limits:)) == brand
  }

  /// True where `mark` is one of its variables, as they were when it became the program that it is.
  private func carries(_ mark: [UInt8]) -> Bool {
    guard let variables = Self.read("/proc/\(identifier)/environ") else { return false }
    return variables.split(separator: 0).contains { $0.elementsEqual(mark) }
  }

  private static func read(_ path: String) -> [UInt8]? {
    guard let number = try? retrying({ open(path, O_RDONLY | O_CLOEXEC) }) else { return nil }
    let bytes = try? Descriptor(adopting: number).read(upTo: SmallFile.maximumLength, at: 0)
    return bytes.map { Array($0) }
  }
}
