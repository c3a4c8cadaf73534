import CUV
import Glibc

/// A stream that the program was started with. Writing blocks: it is for the few lines that people read.
public enum StandardStream: CInt, Sendable {
  /// What the program says.
  case output = 1

  /// Writes all of `text`; one that nobody reads any more is not told.
  public func write(_ text: String) {
    var rest = Substring(text).utf8
    while !rest.isEmpty {
      let written =
        rest.withContiguousStorageIfAvailable { Glibc.write(rawValue, $0.baseAddress, $0.count) } ?? -1
      if written > 0 {
        rest = rest.dropFirst(written)
      } else if errno != EINTR {
        return
      }
    }
  }
}
