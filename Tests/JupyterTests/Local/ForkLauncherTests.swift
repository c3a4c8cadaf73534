import Loop
import Bytes
import TestLoop
import Testing

@testable import Jupyter

/// With a shell script as the Python installation.
@Suite(.serialized) struct ForkLauncherTests {
  @Test func `the first kernel does not wait for the fork server, and later ones are forked`() async throws {
    try await withLauncher { launcher, workplace in
      #expect(try await launcher.launch(workplace.spawnSpec("exit 1")) == nil)
      try await launcher.untilPrepared()
      let kernel = try #require(try await launcher.launch(workplace.spawnSpec("echo up; exit 3")))
      #expect(await kernel.exit() == .code(3))
      await kernel.close()
      #expect(kernel.lastLines == "up")
    }
  }

  @Test func `kernels with variables of their own or other kernelspecs are not forked`() async throws {
    try await withLauncher { launcher, workplace in
      try await launcher.untilPrepared()
      #expect(try await launcher.launch(workplace.spawnSpec("exit 0", hasOwnVariables: true)) == nil)
      #expect(try await launcher.launch(workplace.spawnSpec("exit 0", spec: workplace.spec("other"))) == nil)
    }
  }

  @Test func `a fork server that ends is started again`() async throws {
    try await withLauncher { launcher, workplace in
      try await launcher.untilPrepared()
      #expect(try await launcher.launch(workplace.spawnSpec("DIE")) == nil)
      var kernel: (any KernelProcess)?
      while kernel == nil {
        await Task.yield()
        kernel = try await launcher.launch(workplace.spawnSpec("exit 0"))
      }
      #expect(await kernel?.exit() == .code(0))
      await kernel?.close()
    }
  }

  @Test func `only kernels of our package are forked, if the package has a fork server`() throws {
    let ours = #"{"argv":["python","-m","code_interpreter_kernel.kernel","-f","{connection_file}"]}"#
    let others = #"{"argv":["python","-m","ipykernel_launcher","-f","{connection_file}"]}"#
    let resources = "/nowhere/code_interpreter_kernel/kernels/python3"
    let spec = { (json: String) in
      LocalKernelSpec(name: "python3", json: Bytes(json), resourceDirectory: resources)
    }
    #expect(spec(ours)?.isForkable == false)
    #expect(spec(others)?.isForkable == nil)
    #expect(spec(ours.replacing("python\"", with: "/usr/bin/python\""))?.isForkable == nil)
  }

  private func withLauncher(
    _ body: @escaping @LoopActor (ForkLauncher, Installation) async throws -> Void
  ) async throws {
    try await TestLoop.run {
      let subreaper = try Subreaper()
      let installation = try await Installation()
      let launcher = ForkLauncher(
        for: try installation.spec(), installation.python,
        await InstalledPackages(of: installation.python.prefix), preload: [],
        environment: ["PATH": "/usr/local/bin:/usr/bin:/bin"], subreaper: subreaper, pause: .milliseconds(1),
        logger: .silent)
      // The fork server is started in the background, but before anything that comes later.
      await Task.yield()
      try await body(launcher, installation)
      await launcher.close()
      subreaper.close()
      await installation.directory.remove()
    }
  }
}

@LoopActor
private final class Installation {
  let directory: TemporaryDirectory
  let python: PythonInstallation
  private var count = 0

  init() async throws {
    directory = try TemporaryDirectory(prefix: "fork-launcher-")
    let script = "\(directory.path)/stand-in.py"
    try await SmallFile.create(script, Bytes(standIn))
    // Two levels below the prefix, as in `bin`.
    let interpreter = "\(directory.path)/python"
    try await SmallFile.create(interpreter, Bytes("#!/bin/sh\nexec python3 \(script)\n"))
    let child = try ChildProcess.spawn(executable: "chmod", arguments: ["+x", interpreter])
    _ = await child.exit()
    python = PythonInstallation(interpreter, path: nil)
  }

  /// A kernelspec with a shell command in place of the connection file.
  func spec(_ name: String = "python3") throws -> LocalKernelSpec {
    let json = #"{"argv":["python","-m","kernel","{connection_file}"],"language":"python"}"#
    return try #require(LocalKernelSpec(name: name, json: Bytes(json), resourceDirectory: "/nowhere"))
  }

  func spawnSpec(
    _ script: String, spec: LocalKernelSpec? = nil, hasOwnVariables: Bool = false
  ) throws -> SpawnSpec {
    count += 1
    return SpawnSpec(
      spec: try spec ?? self.spec(), connectionFile: script, log: "\(directory.path)/log\(count)",
      directory: "/", environment: [:], hasOwnVariables: hasOwnVariables)
  }
}
