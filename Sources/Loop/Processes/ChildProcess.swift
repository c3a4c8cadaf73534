import CUV
import Glibc

/// A process that this one has started.
///
/// It is watched until it ends, whether anybody holds this object or not: no zombie is left behind. Before the loop
/// ends all children must have ended. The pipes are their owner's to close.
@LoopActor
public final class ChildProcess: Handle {
  /// The number that the system knows it by. It may be another's once the process has ended.
  public private(set) var processIdentifier: Int32 = 0
  /// How it ended; nil while it runs.
  public private(set) var exitStatus: ExitStatus?
  /// Where to write its input, if that is a pipe. To end the input close it: pipes know no other end.
  public let standardInput: SocketStream?
  /// Where to read its output, if that is a pipe.
  public let standardOutput: SocketStream?
  /// Where to read its messages, if that is a pipe.
  public let standardError: SocketStream?

  /// Those that have not ended, or not as far as we know. Whoever else waits for children keeps off them.
  private(set) static var running: Set<Int32> = []

  private let isDetached: Bool
  private var descriptor: ProcessDescriptor?
  private let ended = WaitQueue()

  /// Starts a process.
  /// - Parameters:
  ///   - executable: A path, or a name that is looked for in the `PATH` of the child.
  ///   - arguments: Without the name of the program.
  ///   - environment: All of the child's variables; nil for ours.
  ///   - currentDirectory: Nil for ours.
  ///   - detached: The child leads a session and process group of its own, which `killGroup` reaches as a whole, and
  ///     which the terminal's signals do not reach.
  ///   - standardInput: What the child reads.
  ///   - standardOutput: Where it writes.
  ///   - standardError: Where it complains.
  ///   - diesWithParent: The kernel kills it when we end, however that happens. Its own children are not meant by that.
  /// - Throws: `UVError`, such as `noEntry` where there is no such program or directory; `SystemRequirementError`.
  public static func spawn(
    executable: String, arguments: [String] = [], environment: [String: String]? = nil,
    currentDirectory: String? = nil, detached: Bool = false, standardInput: ChildInput = .null,
    standardOutput: ChildOutput = .inherit, standardError: ChildOutput = .inherit,
    diesWithParent: Bool = false
  ) throws -> ChildProcess {
    var command = [executable] + arguments
    if diesWithParent {
      let path = try ExecutableSearch(environment).path(of: executable, from: currentDirectory)
      command = [try setpriv(), "--pdeathsig", "KILL", "--", path] + arguments
    }
    let streams = try ChildStreams(standardInput, standardOutput, standardError)
    do {
      return try ChildProcess(
        SpawnRequest(command, environment, currentDirectory, detached: detached), streams)
    } catch {
      streams.abandon()
      throw error
    }
  }

  /// Where the program is that ties a child's life to ours, whatever `PATH` the child has.
  static func setpriv(
    in places: [ExecutableSearch] = [
      ExecutableSearch(nil), ExecutableSearch(["PATH": ExecutableSearch.defaultPath]),
    ]
  ) throws(SystemRequirementError) -> String {
    for place in places { if let path = try? place.path(of: "setpriv", from: nil) { return path } }
    throw .setpriv
  }

  private init(_ request: SpawnRequest, _ streams: ChildStreams) throws(UVError) {
    isDetached = request.isDetached
    standardInput = streams.input
    standardOutput = streams.output
    standardError = streams.error
    var status: CInt = 0
    // libuv makes it a handle, which wants to be closed, also where it then fails to start a process.
    super.init(infallible: uv_process_t.self) { process in
      status = request.spawn(process, streams) { process, code, signal in
        guard let data = process?.pointee.data else { return }
        let child = Unmanaged<ChildProcess>.fromOpaque(data).takeRetainedValue()
        LoopActor.enter { child.didEnd(signal == 0 ? .code(Int(code)) : .signal(Int(signal))) }
      }
      return 0
    }
    if status < 0 {
      startClosing()
      throw UVError(rawValue: status)
    }
    processIdentifier = pointer(as: uv_process_t.self).pointee.pid
    // Nobody has waited for it yet, so the number is its own. Without a descriptor the number has to do.
    descriptor = try? ProcessDescriptor(processIdentifier)
    Self.running.insert(processIdentifier)
    // Until its end: who is closed while the child runs would leave a zombie.
    _ = Unmanaged.passRetained(self)
  }

  private func didEnd(_ status: ExitStatus) {
    exitStatus = status
    Self.running.remove(processIdentifier)
    startClosing()
    ended.wakeAll()
  }

  // MARK: Its end

  /// Waits for its end, also when the task is cancelled.
  public func exit() async -> ExitStatus {
    while true {
      if let exitStatus { return exitStatus }
      await ended.waitRegardless { exitStatus != nil }
    }
  }

  /// Waits for its end.
  /// - Throws: `CancellationError`; the process runs on.
  public func untilExit() async throws -> ExitStatus {
    while true {
      if let exitStatus { return exitStatus }
      try await ended.wait { exitStatus != nil }
    }
  }

  /// Sends it a signal.
  /// - Throws: `UVError.noSuchProcess` once it has ended.
  public func kill(_ signal: Signal) throws {
    // What we know, not what the system does: it knows a child that has ended until we have waited for it.
    if exitStatus != nil { throw UVError.noSuchProcess }
    if let descriptor {
      descriptor.send(signal)
    } else {
      try checked(uv_kill(processIdentifier, signal.rawValue))
    }
  }

  /// True where it has ended, also when we have not been told yet.
  public var hasEnded: Bool { exitStatus != nil || descriptor?.hasEnded ?? false }

  /// Sends a signal to it and all of its descendants that have not made a group of their own. After its end this reaches
  /// those that it left behind, from Linux 6.9 on. Does nothing where it was not started `detached`.
  public func killGroup(_ signal: Signal) {
    guard isDetached else { return }
    if let descriptor {
      descriptor.sendToGroup(signal)
    } else if exitStatus == nil {
      _ = Glibc.kill(-processIdentifier, signal.rawValue)
    }
  }
}
