import Glibc
public import Bytes

/// Bytes as the system takes them for a name: without NUL inside, and with one at the end.
struct PathName: Sendable, Equatable {
  private let terminated: [UInt8]

  /// `bytes` must be without NUL.
  init(_ bytes: some Sequence<UInt8>) { terminated = Array(bytes) + [0] }

  /// The names of a path in one piece; the directory itself where there are none.
  init(joining names: some Collection<PathName>) {
    self.init(names.isEmpty ? [UInt8(ascii: ".")] : Array(names.map(\.bytes).joined(separator: [slash])))
  }

  static let here = PathName(".".utf8)

  var bytes: ArraySlice<UInt8> { terminated.dropLast() }
  var isParent: Bool { terminated == [UInt8(ascii: "."), UInt8(ascii: "."), 0] }

  func withPointer<R>(_ body: (UnsafePointer<CChar>) -> R) -> R {
    terminated.withUnsafeBufferPointer { buffer in
      buffer.withMemoryRebound(to: CChar.self) { body($0.baseAddress.unsafelyUnwrapped) }
    }
  }
}

/// A path beneath a `Directory`. It may hold `..` as long as it does not climb out, which is decided on the way,
/// because links on the way count.
public struct RelativePath: Sendable, Equatable {
  /// Without empty ones and `.`.
  let names: [PathName]
  /// It ends in `/` or `/.`: what it leads to must be a directory.
  let meansDirectory: Bool

  init(names: [PathName], meansDirectory: Bool) {
    self.names = names
    self.meansDirectory = meansDirectory
  }

  /// Takes the bytes as they are; nothing is decoded.
  /// - Throws: `UVError` EINVAL for a NUL byte, EXDEV for an absolute path, ENAMETOOLONG for
  ///   more than 4095 bytes, or 255 in one name.
  public init(_ bytes: Bytes) throws(UVError) {
    try self.init(Array(bytes))
  }

  /// Takes the UTF-8 of `path`.
  /// - Throws: `UVError` EINVAL for a NUL byte, EXDEV for an absolute path, ENAMETOOLONG for
  ///   more than 4095 bytes, or 255 in one name.
  public init(_ path: String) throws(UVError) {
    try self.init(Array(path.utf8))
  }

  private init(_ path: [UInt8]) throws(UVError) {
    if path.contains(0) { throw UVError.invalidArgument }
    if path.first == slash { throw UVError.crossesDevice }
    // As long as Linux takes them, the byte at the end included.
    if path.count >= Int(PATH_MAX) { throw UVError.nameTooLong }
    self.init(parsing: path[...])
    // Here and not where the system says it: by then parents may have been made for nothing.
    if names.contains(where: { $0.bytes.count > Int(NAME_MAX) }) { throw UVError.nameTooLong }
  }

  /// Takes what has been checked, or what the system itself says (the target of a link).
  init(parsing path: ArraySlice<UInt8>) {
    let pieces = path.split(separator: slash, omittingEmptySubsequences: false)
    names = pieces.filter { !$0.isEmpty && !$0.elementsEqual(".".utf8) }.map { PathName($0) }
    meansDirectory = pieces.last.map { $0.isEmpty || $0.elementsEqual(".".utf8) } ?? true
  }

  /// True when more `..` than names are passed on the way: it leads out as long as no link says otherwise.
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

let slash = UInt8(ascii: "/")
