public import Bytes
public import Loop

/// A path beneath a `Directory`. It may contain `..` but must not lead out. The look-up decides that, because it depends
/// on the links in the path.
public struct RelativePath: Sendable, Equatable {
  /// The components, without empty ones and `.`.
  let names: [PathName]
  /// True if the path ends in `/` or `/.`, and so must lead to a directory.
  let meansDirectory: Bool

  private static let slash = UInt8(ascii: "/")

  init(names: [PathName], meansDirectory: Bool) {
    self.names = names
    self.meansDirectory = meansDirectory
  }

  /// A path of these bytes, which are not decoded.
  /// - Throws: `UVError.invalidArgument` for a NUL byte, `crossesDevice` for an absolute path, `nameTooLong` for more
  ///   than 4095 bytes in the path or 255 in a component.
  public init(_ bytes: Bytes) throws(UVError) {
    let path = Array(bytes)
    if path.contains(0) { throw .invalidArgument }
    if path.first == Self.slash { throw .crossesDevice }
    if path.count > PathName.maximumPathLength { throw .nameTooLong }
    self.init(parsing: path[...])
    // The system would report this only after the directories before that name have been made.
    if names.contains(where: { $0.bytes.count > PathName.maximumNameLength }) { throw .nameTooLong }
  }

  /// A path that has been checked, or that comes from the system (the target of a link).
  init(parsing path: ArraySlice<UInt8>) {
    let pieces = path.split(separator: Self.slash, omittingEmptySubsequences: false)
    names = pieces.filter { !$0.isEmpty && !$0.elementsEqual(".".utf8) }.map { PathName($0) }
    meansDirectory = pieces.last.map { $0.isEmpty || $0.elementsEqual(".".utf8) } ?? true
  }

  /// True if the path leads out without links: some prefix has more `..` than names.
  var climbsOut: Bool {
    var depth = 0
    for name in names {
      depth += name.isParent ? -1 : 1
      if depth < 0 { return true }
    }
    return false
  }

  func appending(_ name: PathName) -> RelativePath {
    RelativePath(names: names + [name], meansDirectory: false)
  }
}
