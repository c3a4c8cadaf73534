import HTTPServer
import Loop
import Bytes
import Wire

/// A client's condition for a write or delete: that the file is unchanged, or that there is none (RFC 9110, 13.1.1 and
/// 13.1.2).
struct WriteCondition: Sendable {
  private let match: Bytes?
  private let noneMatch: Bytes?

  @LoopActor init(_ request: Request) {
    match = request.fields.list("If-Match")
    noneMatch = request.fields.list("If-None-Match")
  }

  /// True if there is no condition.
  var isEmpty: Bool { match == nil && noneMatch == nil }

  /// True if the condition is met.
  ///
  /// - Parameter tag: the entity tag of the file; nil if there is no file.
  func holds(for tag: EntityTag?) -> Bool {
    guard let tag else { return match == nil }
    if let match, !EntityTag.match(match, isMetBy: tag) { return false }
    if let noneMatch, EntityTag.noneMatch(noneMatch, isMetBy: tag) { return false }
    return true
  }
}

extension EntityTag {
  /// The entity tag of a file. A replacement has another inode, and a change in place another time, in the resolution
  /// of the system's clock.
  init(of status: FileStatus) {
    let parts = [
      status.inode, UInt64(bitPattern: status.size), UInt64(bitPattern: status.modifiedSeconds),
      UInt64(bitPattern: status.modifiedNanoseconds),
    ]
    self.init(opaque: Bytes(parts.map { String($0, radix: 36) }.joined(separator: "-")))
  }
}
