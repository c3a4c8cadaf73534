import CUV
import Glibc

/// What is to be known of one process.
struct ProcessEntry: Sendable {
  let identifier: Int32
  let parent: Int32
  let session: Int32
  /// When it was started, in ticks since the machine was: with the number it stands for one process and no later one.
  let start: UInt64
  /// It has ended, be it that nobody has waited for it yet.
  let isDead: Bool
  /// What it was tagged with, or one that it descends from; nil where none was.
  let tag: ProcessTag?

  /// nil where there is no such process any more.
  init?(_ identifier: Int32) {
    guard let stat = Self.read("/proc/\(identifier)/stat"), let fields = Fields(stat) else { return nil }
    self.identifier = identifier
    parent = fields.parent
    session = fields.session
    start = fields.start
    isDead = fields.isDead
    tag = isDead ? nil : Self.tag(of: identifier)
  }

  /// True where a process has ended, or is no more. Less work than to know all of it.
  static func isDead(_ identifier: Int32) -> Bool {
    read("/proc/\(identifier)/stat").flatMap(Fields.init)?.isDead ?? true
  }

  /// What counts of `/proc/PID/stat`.
  struct Fields: Equatable {
    let isDead: Bool
    let parent: Int32
    let session: Int32
    let start: UInt64

    init?(_ stat: [UInt8]) {
      // The name, in parentheses, may hold anything: what counts comes behind the last one.
      guard let name = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
      let fields = stat[(name + 1)...].split(separator: UInt8(ascii: " "), maxSplits: 20)
      guard fields.count > 19, let parent = Self.number(fields[1]), let session = Self.number(fields[3]),
        let start = Self.number(fields[19]), start >= 0
      else { return nil }
      isDead = fields[0].elementsEqual("Z".utf8) || fields[0].elementsEqual("X".utf8)
      self.parent = Int32(truncatingIfNeeded: parent)
      self.session = Int32(truncatingIfNeeded: session)
      self.start = UInt64(start)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
      Int64(String(decoding: digits, as: UTF8.self))
    }
  }

  /// True where `mark` is one of its variables, as they were when it became the program that it is.
  func carries(_ mark: [UInt8]) -> Bool {
    guard let variables = Self.read("/proc/\(identifier)/environ") else { return false }
    return variables.split(separator: 0).contains { $0.elementsEqual(mark) }
  }

  private static func tag(of process: Int32) -> ProcessTag? {
    var number: UInt64 = 0
    if fileLockLimit(process, &number) { return ProcessTag(limit: number) }
    // It belongs to another user, and what `/proc` shows is for all.
    return read("/proc/\(process)/limits").flatMap(ProcessTag.init(limits:))
  }

  /// All of a file of `/proc`, whose length nobody knows before.
  private static func read(_ path: String) -> [UInt8]? {
    guard let number = try? retrying({ open(path, O_RDONLY | O_CLOEXEC) }) else { return nil }
    let file = Descriptor(adopting: number)
    var bytes: [UInt8] = []
    while bytes.count < SmallFile.maximumLength {
      var count = 0
      let part = [UInt8](unsafeUninitializedCapacity: 4096) { memory, initialised in
        count = (try? retrying { Glibc.read(file.number, memory.baseAddress, memory.count) }) ?? -1
        initialised = max(0, count)
      }
      if count < 0 { return nil }
      if count == 0 { break }
      if bytes.isEmpty { bytes = part } else { bytes += part }
    }
    return bytes
  }
}
