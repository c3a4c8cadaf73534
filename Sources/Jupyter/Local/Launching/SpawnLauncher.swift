import Logging
import Loop

/// Runs the command of a kernelspec.
@LoopActor
final class SpawnLauncher: KernelLauncher {
  private let python: PythonInstallation
  private let logger: Logger

  /// - Parameter python: the interpreter that `python` in a kernelspec stands for.
  init(_ python: PythonInstallation, logger: Logger) {
    self.python = python
    self.logger = logger
  }

  func untilPrepared() async throws {}

  func canUpgrade(to spawnSpec: SpawnSpec, than process: any KernelProcess) -> Bool { false }

  func launch(_ spawnSpec: SpawnSpec) async throws -> (any KernelProcess)? {
    var plan = LaunchPlan(
      spawnSpec.spec, connectionFile: spawnSpec.connectionFile, python: python,
      environment: spawnSpec.environment)
    if let policy = spawnSpec.isolation { plan = plan.isolated(by: policy, with: python) }
    do {
      return try SpawnedKernel(
        ChildProcess.spawn(
          executable: plan.executable, arguments: plan.arguments, environment: plan.environment,
          currentDirectory: spawnSpec.isolation == nil ? spawnSpec.directory : "/", detached: true,
          standardInput: .null, standardOutput: .pipe,
          standardError: .pipe, diesWithParent: true), logger: logger)
    } catch {
      throw KernelProviderError.kernelDidNotStart("\(plan.executable) in \(spawnSpec.directory): \(error)")
    }
  }

  func close() async {}
}

/// A kernel that is a child of this process.
@LoopActor
final class SpawnedKernel: KernelProcess {
  private let process: ChildProcess
  private let output: ProcessLog
  private let errors: ProcessLog

  var identifier: Int32 { process.processIdentifier }
  var exitStatus: ExitStatus? { process.exitStatus }
  var lastLines: String { errors.lastLines }

  init(_ process: ChildProcess, logger: Logger) {
    self.process = process
    output = ProcessLog(process.standardOutput, logger: logger)
    errors = ProcessLog(process.standardError, logger: logger)
  }

  var hasEnded: Bool { process.hasEnded }

  func gone() async { _ = await process.exit() }

  func exit() async -> ExitStatus { await process.exit() }

  func untilExit() async throws -> ExitStatus { try await process.untilExit() }

  func signal(_ signal: Signal) { process.killGroup(signal) }

  func close() async {
    await output.close()
    await errors.close()
  }
}
