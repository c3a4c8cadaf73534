import Bytes
import Testing
import Wire

@testable import Jupyter

@Suite struct IsolationTests {
  private static let isolated = KernelIsolation(isIsolated: true, hasNetwork: false)
  private static let isolatedWithNetwork = KernelIsolation(isIsolated: true)
  private static let withoutNetwork = KernelIsolation(hasNetwork: false)

  private func spec(_ argv: String, of package: String = "/share/jupyter/kernels/some") throws
    -> LocalKernelSpec
  {
    let json = "{\"argv\": [\"\(argv)\"], \"language\": \"python\"}"
    return try #require(LocalKernelSpec(name: "some", json: Bytes(json), resourceDirectory: package))
  }

  @Test func `what restricts nothing needs nothing`() {
    let nothing = IsolationSupport(landlock: 0, hasFilters: false)
    #expect(nothing.obstacle(to: KernelIsolation()) == nil)
    #expect(nothing.obstacle(to: Self.withoutNetwork)?.contains("seccomp") == true)
  }

  @Test(arguments: [(0, false), (5, false), (6, true), (9, true)])
  func `isolation needs a version of Landlock that keeps signals apart`(version: Int, isEnough: Bool) {
    let support = IsolationSupport(landlock: version, hasFilters: true)
    #expect((support.obstacle(to: Self.isolated) == nil) == isEnough)
    #expect(support.obstacle(to: Self.withoutNetwork) == nil)
  }

  @Test func `kernels of others are isolated only where they cannot connect`() throws {
    let support = IsolationSupport(landlock: 7, hasFilters: true)
    let ours = try spec("python", of: "/site-packages/code_interpreter_kernel/kernels/python3")
    for isolation in [Self.isolated, Self.isolatedWithNetwork, Self.withoutNetwork] {
      #expect(support.obstacle(to: isolation, for: ours) == nil)
    }
    let stock = try spec("python")
    #expect(support.obstacle(to: Self.isolated, for: stock) == nil)
    #expect(support.obstacle(to: Self.isolatedWithNetwork, for: stock)?.contains("connect") == true)
    // It listens on ports.
    let json = Bytes("{\"argv\": [\"/bin/deno\"], \"language\": \"typescript\"}")
    let deno = try #require(LocalKernelSpec(name: "deno", json: json, resourceDirectory: "/deno"))
    #expect(support.obstacle(to: Self.withoutNetwork, for: deno)?.contains("ports") == true)
    #expect(support.obstacle(to: KernelIsolation(), for: deno) == nil)
  }

  private let policy = IsolationPolicy(
    isolation: isolated, directory: "/run/1", workingDirectory: "/work \"x\"", readable: ["/fonts"])

  @Test func `the kernel gets a policy as JSON`() throws {
    let json = try JSONSlice.parse(Bytes(policy.text))
    #expect(json["isolated"]?.bool == true)
    #expect(json["network"]?.bool == false)
    #expect(json["directory"]?.isString("/run/1") == true)
    #expect(json["cwd"]?.isString("/work \"x\"") == true)
    #expect(json["readable"]?.elements.map { $0 }[0].isString("/fonts") == true)
  }

  @Test func `a kernel that is not forked is started by the launcher`() throws {
    let python = PythonInstallation("/env/bin/python", path: nil)
    let plan = LaunchPlan(
      try spec("/bin/kernel"), connectionFile: "/run/1.json", python: python, environment: ["A": "a"]
    ).isolated(by: policy, with: python)
    #expect(plan.executable == "/env/bin/python")
    #expect(plan.arguments == ["-I", "-m", "code_interpreter_kernel.isolated", "/bin/kernel"])
    #expect(plan.environment["CODE_INTERPRETER_ISOLATION"] == policy.text)
    #expect(plan.environment["CODE_INTERPRETER_VARIABLE_A"] == "a")
    // The launcher itself must not use it.
    #expect(plan.environment["A"] == nil)
  }
}
