/// The processes of this machine, as `/proc` has them.
public enum ProcessTable {
  /// Kills what a process that led a session has started and left behind, and what that started. All of that has
  /// `tag`. For systems that do not let us tag processes there are signs that a child can lose: the session, a
  /// line of parents that leads to it, and `mark`, a `NAME=value` in the environment. Takes some milliseconds, on
  /// libuv's thread pool.
  ///
  /// - Returns: the processes that would not go.
  @LoopActor
  public static func end(session: Int32, tag: ProcessTag, mark: String) async -> [Int32] {
    await ProcessSearch.end(ProcessSigns(session: session, tag: tag, mark: Array(mark.utf8)))
  }

  /// True where a process has ended as far as others can see: its leader is gone or a zombie, while its other threads may
  /// still be about to end. A file descriptor of the process tells that only when these have ended, too (pidfd_open(2)).
  /// One look into `/proc`, some microseconds.
  public static func isDying(_ process: Int32) -> Bool { ProcessEntry.isDead(process) }

  /// Kills what shows one of `signs`, and its descendants, and waits for a moment until they are gone. Blocks.
  ///
  /// - Returns: for each of the signs, the processes that were found.
  static func kill(_ signs: [ProcessSigns]) -> [[Int32]] { Descendants(of: signs).kill() }
}

/// What tells those that are looked for from all others.
struct ProcessSigns: Sendable {
  let session: Int32
  let tag: ProcessTag
  let mark: [UInt8]

  /// True where a process has one of them.
  func areShown(by process: ProcessEntry) -> Bool {
    if process.session == session || process.tag == tag { return true }
    // Who has a sibling of the tag descends from another process of ours.
    if let other = process.tag, other.isSibling(of: tag) { return false }
    return process.carries(mark)
  }
}
