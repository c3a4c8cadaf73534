import Bytes
import Testing
import Wire

@testable import Server

@Suite struct ExecutionEnvironmentTests {
  @Test func `metadata holds every value unchanged`() throws {
    let environment = try #require(
      ExecutionEnvironment([("A", "\"'\\\n\u{1}é"), ("B", "")], language: "python"))
    let variables = try JSONSlice.parse(environment.metadata)["code_interpreter"]?["env_vars"]
    #expect(variables?["A"]?.text == "\"'\\\n\u{1}é")
    #expect(variables?["B"]?.text == "")
  }

  @Test func `a language without variables has no environment`() {
    #expect(ExecutionEnvironment([("A", "x")], language: "cobol") == nil)
  }
}
