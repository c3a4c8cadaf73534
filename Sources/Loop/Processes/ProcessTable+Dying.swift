import CUV
import Glibc
import Memory

extension ProcessTable {
  /// True where a process has ended as far as others can see: its leader is gone or a zombie, while its other threads may
  /// still be about to end. A file descriptor of the process tells that only when these have ended, too (pidfd_open(2)).
  /// One read of `/proc`, some microseconds.
  public static func isDying(_ process: Int32) -> Bool {
    guard let number = try? retrying({ Glibc.open("/proc/\(process)/stat", O_RDONLY | O_CLOEXEC) }),
      let line = try? Descriptor(adopting: number).read(upTo: 512, at: 0)
    else { return true }
    // The name of the program, in parentheses, may hold any others.
    guard let end = line.lastIndex(of: UInt8(ascii: ")")), end + 2 < line.count else { return true }
    return line[end + 2] == UInt8(ascii: "Z") || line[end + 2] == UInt8(ascii: "X")
  }
}

extension Bytes {
  fileprivate func lastIndex(of byte: UInt8) -> Int? { (0..<count).last { self[$0] == byte } }
}
