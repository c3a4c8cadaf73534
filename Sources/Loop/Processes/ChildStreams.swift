import CUV
import Glibc

/// The standard input of a child process.
public enum ChildInput: Sendable {
  /// `/dev/null`.
  case null
  /// A pipe from `ChildProcess.standardInput`.
  case pipe
}

/// The standard output or error of a child process.
public enum ChildOutput: Sendable {
  /// `/dev/null`.
  case null
  /// That of this process.
  case inherit
  /// A pipe to `ChildProcess.standardOutput` or `standardError`.
  case pipe
}

/// The three standard streams of a child that is about to start.
///
/// Pipes, because libuv would make socket pairs: programs open `/dev/stdout`, which fails for a socket.
@LoopActor
final class ChildStreams {
  private(set) var input: SocketStream?
  private(set) var output: SocketStream?
  private(set) var error: SocketStream?

  /// The child's ends, which are closed with this object. The child has inherited copies by then.
  private var ends: [Descriptor] = []
  private var containers: [uv_stdio_container_t] = []

  init(_ input: ChildInput, _ output: ChildOutput, _ error: ChildOutput) throws(UVError) {
    do {
      if case .pipe = input { self.input = try connect(oursIsReadable: false) } else { ignore() }
      self.output = try connect(output, inheriting: STDOUT_FILENO)
      self.error = try connect(error, inheriting: STDERR_FILENO)
    } catch {
      abandon()
      throw error
    }
  }

  /// Closes our ends if no child was started.
  func abandon() {
    for stream in [input, output, error] { stream?.abort() }
  }

  func withContainers<R>(_ body: (UnsafeMutableBufferPointer<uv_stdio_container_t>) -> R) -> R {
    containers.withUnsafeMutableBufferPointer { body($0) }
  }

  private func connect(_ output: ChildOutput, inheriting number: CInt) throws(UVError) -> SocketStream? {
    switch output {
    case .null: ignore()
    case .inherit: pass(number)
    case .pipe: return try connect(oursIsReadable: true)
    }
    return nil
  }

  private func connect(oursIsReadable: Bool) throws(UVError) -> SocketStream {
    var pair: [CInt] = [-1, -1]
    // Both ends have O_CLOEXEC; only ours is non-blocking.
    try checked(
      uv_pipe(
        &pair, oursIsReadable ? CInt(UV_NONBLOCK_PIPE.rawValue) : 0,
        oursIsReadable ? 0 : CInt(UV_NONBLOCK_PIPE.rawValue)))
    let end = Descriptor(adopting: pair[oursIsReadable ? 1 : 0])
    let stream = try SocketStream(.local, adopting: pair[oursIsReadable ? 0 : 1])
    ends.append(end)
    pass(end.number)
    return stream
  }

  private func pass(_ number: CInt) {
    var container = uv_stdio_container_t()
    container.flags = UV_INHERIT_FD
    container.data.fd = number
    containers.append(container)
  }

  private func ignore() {
    var container = uv_stdio_container_t()
    container.flags = UV_IGNORE
    containers.append(container)
  }
}
