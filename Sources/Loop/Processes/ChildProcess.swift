import CUV
import Glibc

/// A child process.
///
/// The process is watched until it ends, even if this object is released, so that no zombie is left. All children must
/// have ended before the loop ends. The owner closes the pipes.
@LoopActor
public final class ChildProcess: Handle {
  /// The process identifier. The system may reuse it after the end of the process.
  public private(set) var processIdentifier: Int32 = 0
  /// How it ended; nil while it runs.
  public private(set) var exitStatus: ExitStatus?
  /// Its standard input, if that is a pipe. Closing it ends the input.
  public let standardInput: SocketStream?
  /// Its standard output, if that is a pipe.
  public let standardOutput: SocketStream?
  /// Its standard error, if that is a pipe.
  public let standardError: SocketStream?

  /// The children that are not known to have ended. Other code must not wait for them.
  private(set) static var running: Set<Int32> = []

  private let isDetached: Bool
  private var descriptor: ProcessDescriptor?
  private let ended = WaitQueue()

  /// Starts a process.
  /// - Parameters:
  /// - executable: a path, or a name that is looked up in the `PATH` of the child.
  /// - arguments: without the name of the program.
  /// - environment: all variables of the child; nil for those of this process.
  /// - currentDirectory: nil for that of this process.
  /// - detached: the child leads a session and process group of its own. `killGroup` signals that group, and signals
  ///   from the terminal do not reach it.
  /// - standardInput: its standard input.
  /// - standardOutput: its standard output.
  /// - standardError: its standard error.
  /// - diesWithParent: Linux kills it when this process ends for any reason, but not its own children
  ///   (PR_SET_PDEATHSIG).
  /// - Throws: `UVError`, such as `noEntry` if the program or directory does not exist; `SystemRequirementError`.
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

  /// The path of setpriv(1), also if it is not in the child's `PATH`.
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
    // The handle must be closed even if libuv fails to start a process.
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
    // The process has not been reaped, so the identifier is its own. Without a pidfd, signals use the identifier.
    descriptor = try? ProcessDescriptor(processIdentifier)
    Self.running.insert(processIdentifier)
    // Released when the process ends. Closing the handle earlier would leave a zombie.
    _ = Unmanaged.passRetained(self)
  }

  private func didEnd(_ status: ExitStatus) {
    exitStatus = status
    Self.running.remove(processIdentifier)
    startClosing()
    ended.wakeAll()
  }

  // MARK: Its end

  /// Waits for its end, even if the task is cancelled.
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
    // `exitStatus`, not kill(2), decides: kill(2) succeeds for a zombie.
    if exitStatus != nil { throw UVError.noSuchProcess }
    if let descriptor {
      descriptor.send(signal)
    } else {
      try checked(uv_kill(processIdentifier, signal.rawValue))
    }
  }

  /// True if it has ended, even if libuv has not reported it yet.
  public var hasEnded: Bool { exitStatus != nil || descriptor?.hasEnded ?? false }

  /// Sends a signal to its process group. After its end this reaches the remaining processes of the group from Linux
  /// 6.9 on. Does nothing unless it was started `detached`.
  public func killGroup(_ signal: Signal) {
    guard isDetached else { return }
    if let descriptor {
      descriptor.sendToGroup(signal)
    } else if exitStatus == nil {
      _ = Glibc.kill(-processIdentifier, signal.rawValue)
    }
  }
}
