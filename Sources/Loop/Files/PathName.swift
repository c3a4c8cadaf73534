import Glibc

/// A name in a directory, or a path, as system calls take it: bytes that end in NUL, of no particular encoding.
public struct PathName: Sendable, Equatable {
  /// The length of the longest name that Linux takes, in bytes.
  public static let maximumNameLength = Int(NAME_MAX)
  /// The length of the longest path that Linux takes, in bytes. `PATH_MAX` includes the NUL at the end.
  public static let maximumPathLength = Int(PATH_MAX) - 1

  /// The directory itself: `.`.
  public static let current = PathName(".")

  private let terminated: [UInt8]

  /// A name of these bytes, which must not contain NUL.
  public init(_ bytes: ArraySlice<UInt8>) { terminated = Array(bytes) + [0] }

  /// A name of the UTF-8 of `text`, which must not contain NUL.
  init(_ text: String) { terminated = Array(text.utf8) + [0] }

  init(_ bytes: UnsafeRawBufferPointer) { terminated = Array(bytes) + [0] }

  /// Joins names to a path; no names are the directory itself.
  public init(joining names: some Collection<PathName>) {
    self = names.isEmpty ? .current : PathName(Array(names.map(\.bytes).joined(separator: "/".utf8))[...])
  }

  /// A hidden name (`.code-interpreter-…`) with 64 random bits.
  public static func unique() -> PathName {
    PathName(".code-interpreter-\(String(UInt64.random(in: .min ... .max), radix: 36))")
  }

  /// The bytes without the NUL at the end.
  public var bytes: ArraySlice<UInt8> { terminated.dropLast() }

  /// True of `..`.
  public var isParent: Bool { terminated == [UInt8(ascii: "."), UInt8(ascii: "."), 0] }

  func withPointer<R>(_ body: (UnsafePointer<CChar>) -> R) -> R {
    terminated.withUnsafeBufferPointer { buffer in
      buffer.withMemoryRebound(to: CChar.self) { body($0.baseAddress.unsafelyUnwrapped) }
    }
  }
}
