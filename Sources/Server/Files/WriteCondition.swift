import HTTPServer
import Loop
import Bytes
import Wire

/// What a client demands of the file that it writes or deletes: that it is the one that the client knows, or that there is
/// none (RFC 9110, 13.1.1 and 13.1.2).
struct WriteCondition: Sendable {
  private let match: Bytes?
  private let noneMatch: Bytes?

  @LoopActor init(_ request: Request) {
    match = request.fields.list("If-Match")
    noneMatch = request.fields.list("If-None-Match")
  }

  /// True where nothing is demanded.
  var isEmpty: Bool { match == nil && noneMatch == nil }

  /// Whether it holds.
  ///
  /// - Parameter tag: that of the file; nil if there is no file.
  func holds(for tag: EntityTag?) -> Bool {
    guard let tag else { return match == nil }
    if let match, !EntityTag.match(match, isMetBy: tag) { return false }
    if let noneMatch, EntityTag.noneMatch(noneMatch, isMetBy: tag) { return false }
    return true
  }
}

extension EntityTag {
  /// The tag of a file. Every replacement is another inode, and every change in place another time, to the kernel's clock
  /// tick.
  init(of status: FileStatus) {
    let parts = [
      status.inode, UInt64(bitPattern: status.size), UInt64(bitPattern: status.modifiedSeconds),
      UInt64(bitPattern: status.modifiedNanoseconds),
    ]
    self.init(opaque: Bytes(parts.map { String($0, radix: 36) }.joined(separator: "-")))
  }
}
