import Testing

@testable import Server

@Suite struct EnvironmentCodeTests {
  @Test func hostileValuesAreLiteralsOfPython() throws {
    let code = try #require(EnvironmentCode([("A", "\"'\\\n\t\u{1}é\u{2028}")], language: "python"))
    #expect(code.set.hasSuffix("{\"values\": {\"A\": \"\\\"'\\\\\\n\\t\\u0001é\u{2028}\"}})"))
    #expect(!code.set.contains("\n") && !code.restore.contains("\n"))
  }

  @Test func bashGetsOneLineOfASCII() throws {
    let code = try #require(EnvironmentCode([("A_1", "x'\n\u{3}é")], language: "bash"))
    #expect(code.set.contains("export A_1=$'x\\047\\012\\003\\303\\251'"))
  }

  @Test(arguments: ["1A", "A-B", "A.B", "é", "A B"])
  func bashCannotHoldNamesThatAreNoIdentifiers(name: String) {
    #expect(EnvironmentCode([(name, "x")], language: "bash") == nil)
  }

  @Test func anUnknownLanguageHasNoCode() {
    #expect(EnvironmentCode([("A", "x")], language: "cobol") == nil)
    #expect(
      ["python", "bash", "javascript", "typescript", "r"].allSatisfy {
        EnvironmentCode([], language: $0) != nil
      })
  }
}
