import Glibc
import Loop
import Bytes
import TestLoop
import Testing

@testable import Jupyter

@Suite struct KernelSpecFinderTests {
  @Test func `searches Jupyter's directories in order, each one once`() {
    let finder = KernelSpecFinder(
      prefix: "/usr", environment: ["JUPYTER_PATH": "/a:/b:/a", "HOME": "/home/user"])
    #expect(
      finder.dataDirectories == [
        "/usr/share/jupyter", "/a", "/b", "/home/user/.local/share/jupyter", "/usr/local/share/jupyter",
      ])
    #expect(
      KernelSpecFinder(
        prefix: "/p", environment: ["JUPYTER_DATA_DIR": "/d", "XDG_DATA_HOME": "/x", "HOME": "/h"]
      )
      .dataDirectories[1] == "/d")
    #expect(
      KernelSpecFinder(prefix: "/p", environment: ["XDG_DATA_HOME": "/x", "HOME": "/h"]).dataDirectories[1]
        == "/x/jupyter")
  }

  @Test func `our package's kernelspecs come before the environment's, and these before others`() async throws
  {
    try await TestLoop.run {
      let root = try TemporaryDirectory(prefix: "specs-")
      try await install(
        "python3", "ours", in: "\(root.path)/lib/python3.11/site-packages/code_interpreter_kernel")
      try await install("python3", "stock", in: "\(root.path)/share/jupyter")
      try await install("bash", "environment", in: "\(root.path)/share/jupyter")
      try await install("bash", "elsewhere", in: "\(root.path)/data")
      try await install("Deno", "elsewhere", in: "\(root.path)/data")
      try await install("not a name", "elsewhere", in: "\(root.path)/data")
      let found = await KernelSpecFinder(
        prefix: root.path, environment: ["JUPYTER_PATH": "\(root.path)/data", "HOME": root.path]
      ).find().filter { $0.resourceDirectory.hasPrefix(root.path) }
      #expect(found.map(\.spec.name) == ["python3", "bash", "deno"])
      #expect(found.map(\.spec.displayName) == ["ours", "environment", "elsewhere"])
      await root.remove()
    }
  }

  @LoopActor
  private func install(_ name: String, _ displayName: String, in directory: String) async throws {
    var path = ""
    for component in "\(directory)/kernels/\(name)".split(separator: "/") {
      path += "/\(component)"
      mkdir(path, 0o700)
    }
    try await SmallFile.create(
      "\(path)/kernel.json", Bytes(#"{"argv": ["x"], "display_name": "\#(displayName)"}"#))
  }
}
