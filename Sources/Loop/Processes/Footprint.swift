import CUV
import Glibc
import Memory

/// How much memory this process takes.
public enum Footprint {
  /// Gives back what was needed to start, or for a time: pages of code, most of which runs once, and free memory that
  /// the allocator keeps. What is needed again comes back by itself, within a millisecond altogether.
  public static func reduce() {
    if let maps = try? Descriptor(adopting: retrying { Glibc.open("/proc/self/maps", O_RDONLY | O_CLOEXEC) })
    {
      let text = (try? maps.read(upTo: SmallFile.maximumLength, at: 0)).map { String($0) } ?? ""
      for line in text.split(separator: "\n") { releaseCode(line) }
    }
    malloc_trim(0)
  }

  /// `7f00-7f80 r-xp 00001000 fe:00 123 /usr/lib/libc.so.6`: only what is a file's, and cannot have been written to.
  private static func releaseCode(_ line: Substring) {
    let fields = line.split(separator: " ", maxSplits: 5)
    guard fields.count == 6, fields[1] == "r-xp", fields[5].drop(while: { $0 == " " }).first == "/" else {
      return
    }
    let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
    guard bounds.count == 2, bounds[0] < bounds[1] else { return }
    madvise(UnsafeMutableRawPointer(bitPattern: bounds[0]), Int(bounds[1] - bounds[0]), MADV_DONTNEED)
  }
}
