import Bytes
import Testing

@testable import Jupyter

@Suite struct LaunchPlanTests {
  private func spec(_ json: String) throws -> LocalKernelSpec {
    try #require(LocalKernelSpec(name: "some", json: Bytes(json), resourceDirectory: "/specs/some"))
  }

  private func plan(_ json: String, environment: [String: String] = [:]) throws -> LaunchPlan {
    LaunchPlan(
      try spec(json), connectionFile: "/run/1.json", python: PythonInstallation("/env/bin/python", path: nil),
      environment: environment)
  }

  @Test func `fills in the connection file, the kernelspec's directory and the prefix, and nothing else`()
    throws
  {
    let plan = try plan(
      "{\"argv\": [\"/bin/kernel\", \"-f{connection_file}\", \"{resource_dir}/x\", \"{prefix}\", \"{other}\", \"{\", \"}{\"]}"
    )
    #expect(plan.executable == "/bin/kernel")
    #expect(plan.arguments == ["-f/run/1.json", "/specs/some/x", "/env", "{other}", "{", "}{"])
  }

  @Test(arguments: ["python", "python3", "python3.11"])
  func `a bare name of Python means the environment's interpreter`(name: String) throws {
    #expect(try plan("{\"argv\": [\"\(name)\", \"-m\", \"x\"]}").executable == "/env/bin/python")
  }

  @Test(arguments: ["/usr/bin/python3", "pythonic", "deno"])
  func `leaves other commands as they are`(name: String) throws {
    #expect(try plan("{\"argv\": [\"\(name)\"]}").executable == name)
  }

  @Test func `the kernelspec's variables override others and may refer to them`() throws {
    let plan = try plan(
      "{\"argv\": [\"x\"], \"env\": {\"A\": \"own\", \"B\": \"${A}:$C\", \"D\": \"$$ $missing ${missing} $1 ${A\", \"E\": \"\"}}",
      environment: ["A": "ours", "C": "c", "PYTHONEXECUTABLE": "no"])
    #expect(plan.environment["A"] == "own")
    #expect(plan.environment["B"] == "ours:c")
    #expect(plan.environment["D"] == "$ $missing ${missing} $1 ${A")
    #expect(plan.environment["E"] == "")
    #expect(plan.environment["PYTHONEXECUTABLE"] == nil)
  }

  @Test func `programs of the environment come first`() throws {
    #expect(
      try plan("{\"argv\": [\"x\"]}", environment: ["PATH": "/bin"]).environment["PATH"] == "/env/bin:/bin")
    let path = "/bin:/env/bin"
    #expect(try plan("{\"argv\": [\"x\"]}", environment: ["PATH": path]).environment["PATH"] == path)
  }

  @Test func `reads the members of a kernelspec`() throws {
    let spec = try spec(
      #"""
      {"argv": ["deno", "jupyter"], "display_name": "Deno", "language": "TypeScript", "interrupt_mode": "message",
       "metadata": {"code_interpreter": {"keeps_output": true}}}
      """#)
    #expect(spec.spec == KernelSpec(name: "some", displayName: "Deno", language: "typescript"))
    #expect(spec.interruptMode == .message)
    #expect(spec.keepsOutput)
    #expect(!spec.isPython)
    #expect(try !self.spec("{\"argv\": [\"python\"]}").keepsOutput)
    let ours = LocalKernelSpec(
      name: "python3", json: "{\"argv\": [\"python\"]}",
      resourceDirectory: "/lib/python3/site-packages/code_interpreter_kernel/kernels/python3")
    #expect(ours?.keepsOutput == true)
    #expect(try self.spec("{\"argv\": [\"python\"]}").interruptMode == .signal)
  }

  @Test(arguments: ["", "[]", "{}", "{\"argv\": []}", "{\"argv\": [1]}", "{\"argv\": \"python\"}"])
  func `JSON that is not a kernelspec is refused`(json: String) {
    #expect(LocalKernelSpec(name: "some", json: Bytes(json), resourceDirectory: "/") == nil)
  }
}

@Suite struct PythonInstallationTests {
  @Test func `a path names its installation`() {
    let python = PythonInstallation("/env/bin/python", path: "/bin") { _ in true }
    #expect(python.interpreter == "/env/bin/python")
    #expect(python.prefix == "/env")
  }

  @Test func `a name is looked up in PATH`() {
    let python = PythonInstallation("python3", path: "/a/bin:/b/bin:/c/bin") { $0 != "/a/bin/python3" }
    #expect(python.interpreter == "/b/bin/python3")
    #expect(python.prefix == "/b")
    #expect(PythonInstallation("python3", path: nil) { _ in false }.interpreter == "python3")
  }
}
