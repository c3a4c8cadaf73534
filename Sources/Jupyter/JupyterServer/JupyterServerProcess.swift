import Logging
import Loop
import Bytes

/// A Jupyter Server that this process starts: on a Unix socket in a directory that only this user can enter, and with a
/// random token. It ends with this process, whatever ends that.
@LoopActor
final class JupyterServerProcess {
  /// How long it may take to answer. A cold start reads a few thousand Python files, which takes long on a loaded machine.
  private static let startLimit: Duration = .seconds(60)
  private static let pollInterval: Duration = .milliseconds(20)
  /// How long it may take to stop. It ends its kernels first, each of which gets two seconds.
  private static let stopLimit: Duration = .seconds(10)

  /// Where the server listens.
  let location: ServerLocation
  private let process: ChildProcess
  private let logger: Logger
  private let output: ProcessLog
  private let errors: ProcessLog

  /// Starts it and waits until it answers.
  ///
  /// - Parameters:
  ///   - python: the interpreter's path.
  ///   - environment: all variables of the process, which its kernels inherit.
  /// - Throws: `KernelProviderError.unavailable`.
  static func start(python: String, environment: [String: String], directory: String, logger: Logger)
    async throws
    -> JupyterServerProcess
  {
    let server = try JupyterServerProcess(
      python: python, environment: environment, directory: directory, logger: logger)
    do {
      try await server.becomeReady()
      return server
    } catch {
      await server.stop()
      throw error
    }
  }

  private init(python: String, environment: [String: String], directory: String, logger: Logger) throws {
    let token = RandomIdentifier.make()
    let socket = "\(directory)/jupyter-\(RandomIdentifier.make().prefix(8)).sock"
    self.location = ServerLocation(socket: socket, token: token)
    self.logger = logger
    do {
      // A session of its own, so that Ctrl-C in the terminal reaches only this process, which then stops the server in order.
      self.process = try ChildProcess.spawn(
        executable: python, arguments: ["-m", "code_interpreter_kernel.jupyter", "--sock=\(socket)"],
        environment: environment.merging(["JUPYTER_TOKEN": token]) { $1 }, detached: true,
        standardInput: .null, standardOutput: .pipe, standardError: .pipe, diesWithParent: true)
    } catch {
      throw KernelProviderError.unavailable("\(python) cannot be started: \(error)")
    }
    output = ProcessLog(process.standardOutput, source: "jupyter", logger: logger)
    errors = ProcessLog(process.standardError, source: "jupyter", logger: logger)
  }

  /// Waits for its end.
  func exit() async -> ExitStatus { await process.exit() }

  /// Stops it by SIGTERM, or else by SIGKILL.
  func stop() async {
    try? process.kill(.terminate)
    do {
      _ = try await withDeadline(Self.stopLimit) { try await self.process.untilExit() }
    } catch {
      logger.warning("the Jupyter server does not stop: it is killed")
      process.killGroup(.kill)
      _ = await process.exit()
    }
    await output.close()
    await errors.close()
  }

  private func explanation(of status: ExitStatus) -> String {
    let lastLines = errors.lastLines
    return "the Jupyter server \(status) before it answered\(lastLines.isEmpty ? "" : ": \(lastLines)")"
  }

  private func becomeReady() async throws {
    let client = HTTPClient(location)
    do {
      try await withDeadline(Self.startLimit) {
        while true {
          if let status = self.process.exitStatus {
            throw KernelProviderError.unavailable(self.explanation(of: status))
          }
          let reply = try? await client.send("GET", "/api", limit: .seconds(5))
          if reply?.status == 200 { return }
          try await EventLoop.sleep(for: Self.pollInterval)
        }
      }
    } catch is DeadlineExceeded {
      throw KernelProviderError.unavailable("the Jupyter server did not answer within \(Self.startLimit)")
    }
  }
}
