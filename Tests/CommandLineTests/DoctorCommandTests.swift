import Jupyter
import Testing

@testable import code_interpreter

@Suite struct DoctorCommandTests {
  private func findings(landlock: Int, hasFilters: Bool, isRoot: Bool = false) -> [DoctorCommand.Finding] {
    DoctorCommand.findings(
      IsolationSupport(landlock: landlock, hasFilters: hasFilters), .none, isRoot: isRoot)
  }

  @Test func `a system that can do everything lacks nothing`() {
    let findings = findings(landlock: 7, hasFilters: true)
    #expect(findings.allSatisfy { $0.means != nil })
    #expect(findings.contains { $0.means == "Landlock 7 and seccomp" })
  }

  @Test func `what is missing is named, with the way to get it`() {
    let missing = findings(landlock: 4, hasFilters: true).filter { $0.means == nil }
    #expect(missing.map(\.name) == ["isolated"])
    #expect(missing.first?.note.contains("Linux 6.12") == true)
    #expect(
      findings(landlock: 7, hasFilters: false).filter { $0.means == nil }.map(\.name) == [
        "isolated", "network: false",
      ])
  }

  @Test func `root is told what is within its reach`() {
    #expect(
      findings(landlock: 7, hasFilters: true, isRoot: true).contains { $0.note.contains("as another user") })
  }
}
