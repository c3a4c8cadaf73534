import Bytes
import CUV
import Glibc

/// The options of `uv_spawn`, as C strings that live as long as this object.
final class SpawnRequest {
  let isDetached: Bool
  private let arguments: CStringArray
  private let environment: CStringArray?
  private let currentDirectory: CStringArray?

  /// - Throws: `UVError.invalidArgument` for a NUL byte in a string, which would truncate it.
  init(
    _ command: [String], _ environment: [String: String]?, _ currentDirectory: String?, detached: Bool
  ) throws(UVError) {
    arguments = try CStringArray(command)
    self.environment = try environment.map { variables throws(UVError) in
      try CStringArray(variables.map { "\($0.key)=\($0.value)" }.sortedByBytes())
    }
    self.currentDirectory = try currentDirectory.map { path throws(UVError) in try CStringArray([path]) }
    isDetached = detached
  }

  /// Starts the process. Blocks for some hundred microseconds, until the child has called execve(2).
  @LoopActor
  func spawn(
    _ process: UnsafeMutablePointer<uv_process_t>, _ streams: ChildStreams, whenEnded: uv_exit_cb
  ) -> CInt {
    var options = uv_process_options_t()
    options.exit_cb = whenEnded
    options.file = UnsafePointer(arguments.pointers[0])
    options.args = arguments.base
    options.env = environment?.base
    options.cwd = UnsafePointer(currentDirectory?.pointers[0])
    if isDetached { options.flags = UV_PROCESS_DETACHED.rawValue }
    return streams.withContainers { containers in
      options.stdio = containers.baseAddress
      options.stdio_count = CInt(containers.count)
      return uv_spawn(EventLoop.shared.raw, process, &options)
    }
  }
}

/// Owns a null-terminated array of C strings.
final class CStringArray {
  let pointers: UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>
  var base: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? { pointers.baseAddress }

  init(_ strings: [String]) throws(UVError) {
    if strings.contains(where: { $0.utf8.contains(0) }) { throw .invalidArgument }
    pointers = .allocate(capacity: strings.count + 1)
    _ = pointers.initialize(from: strings.map { strdup($0) } + [nil])
  }

  deinit {
    for pointer in pointers { free(pointer) }
    pointers.deallocate()
  }
}
