import CUV
import Glibc
import Memory

/// The processes of this machine, as `/proc` has them.
public enum ProcessTable {
  /// Kills what a process that led a session has started and left behind, and what that started. All of that bears
  /// `brand`. For systems that do not let us brand processes there are signs that a child can lose: the session, a
  /// line of parents that leads to it, and `mark`, a `NAME=value` in the environment. Takes some milliseconds, on
  /// libuv's thread pool.
  ///
  /// - Returns: the processes that would not go.
  @LoopActor
  public static func end(session: Int32, brand: Brand, mark: String) async -> [Int32] {
    await ProcessSearch.end(ProcessSigns(session: session, brand: brand, mark: Array(mark.utf8)))
  }

  /// Kills what shows one of `signs`, and its descendants. Blocks.
  ///
  /// - Returns: for each of the signs, the processes that were found.
  static func kill(_ signs: [ProcessSigns]) -> [[Int32]] {
    let found = processes(with: signs)
    for process in found.joined() { Glibc.kill(process, SIGKILL) }
    return found
  }

  private static func processes(with signs: [ProcessSigns]) -> [[Int32]] {
    let index = SignIndex(signs)
    let processes = systemNames(in: "/proc").compactMap(Int32.init).compactMap(ProcessEntry.init)
    let others = processes.filter { $0.identifier != getpid() && $0.identifier != 1 && !$0.isDead }
    var owners: [Int32: Int] = [:]
    for process in others { owners[process.identifier] = process.owner(by: index) }
    var isComplete = false
    while !isComplete {
      isComplete = true
      for process in others where owners[process.identifier] == nil {
        guard let owner = owners[process.parent] else { continue }
        owners[process.identifier] = owner
        isComplete = false
      }
    }
    var found = [[Int32]](repeating: [], count: signs.count)
    for (process, owner) in owners { found[owner].append(process) }
    return found.map { $0.sorted() }
  }
}

/// What tells those that are looked for from all others.
struct ProcessSigns: Sendable {
  let session: Int32
  let brand: Brand
  let mark: [UInt8]
}

/// Whose a process is, by what it shows: the number of the signs that it has.
private struct SignIndex {
  private(set) var sessions: [Int32: Int] = [:]
  private(set) var brands: [Brand: Int] = [:]
  private(set) var marks: [[UInt8]: Int] = [:]

  init(_ signs: [ProcessSigns]) {
    for (number, sign) in signs.enumerated() {
      sessions[sign.session] = number
      brands[sign.brand] = number
      marks[sign.mark] = number
    }
  }
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

  /// The number of the signs of which it has one.
  func owner(by index: SignIndex) -> Int? {
    if let owner = index.sessions[session] { return owner }
    let brand = Self.read("/proc/\(identifier)/limits").flatMap(Brand.init(limits:))
    if let owner = brand.flatMap({ index.brands[$0] }) { return owner }
    return variables.lazy.compactMap { index.marks[Array($0)] }.first
  }

  /// Its variables, as they were when it became the program that it is.
  private var variables: [ArraySlice<UInt8>] {
    Self.read("/proc/\(identifier)/environ")?.split(separator: 0) ?? []
  }

  private static func read(_ path: String) -> [UInt8]? {
    guard let number = try? retrying({ open(path, O_RDONLY | O_CLOEXEC) }) else { return nil }
    let bytes = try? Descriptor(adopting: number).read(upTo: SmallFile.maximumLength, at: 0)
    return bytes.map { Array($0) }
  }
}
