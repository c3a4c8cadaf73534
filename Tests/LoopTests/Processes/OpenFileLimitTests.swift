import Loop
import Testing

@Suite struct OpenFileLimitTests {
  @Test func `the limit is raised once, and never lowered`() {
    let raised = OpenFileLimit.raise()
    #expect(raised >= 1024)
    #expect(OpenFileLimit.raise() == raised)
  }
}
