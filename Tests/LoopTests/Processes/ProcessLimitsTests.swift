import Loop
import Testing

@Suite struct ProcessLimitsTests {
  @Test func `the limit is raised once, and never lowered`() {
    let raised = ProcessLimits.raiseOpenFiles()
    #expect(raised >= 1024)
    #expect(ProcessLimits.raiseOpenFiles() == raised)
  }
}
