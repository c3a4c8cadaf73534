import CUV
import Glibc

extension SocketStream {
  /// Makes a pipe with a name, for our user alone, and reads what others write to it. The end comes when all who had
  /// opened it have closed it; the name is its owner's to remove.
  /// - Throws: `UVError.exists` where there is something of that name.
  public static func makeFIFO(_ path: String) throws(UVError) -> SocketStream {
    _ = try retrying { mkfifo(path, 0o600) }
    // Without waiting for somebody who writes. Nobody who has not come yet counts as gone.
    let number = try retrying { Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) }
    return try SocketStream(.local, adopting: number)
  }
}
