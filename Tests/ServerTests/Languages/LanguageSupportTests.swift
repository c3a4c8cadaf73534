import Testing

@testable import Server

@Suite struct LanguageSupportTests {
  @Test func `hostile values become Python literals`() throws {
    let code = try #require(LanguageSupport.of("python").environmentCode([("A", "\"'\\\n\t\u{1}é\u{2028}")]))
    #expect(code.set.hasSuffix("{\"values\": {\"A\": \"\\\"'\\\\\\n\\t\\u0001é\u{2028}\"}})"))
    #expect(!code.set.contains("\n") && !code.restore.contains("\n"))
  }

  @Test func `bash gets one line of ASCII`() throws {
    let code = try #require(LanguageSupport.of("bash").environmentCode([("A_1", "x'\n\u{3}é")]))
    #expect(code.set.contains("export A_1=$'x\\047\\012\\003\\303\\251'"))
  }

  @Test(arguments: ["1A", "A-B", "A.B", "é", "A B"])
  func `bash refuses variable names that are not identifiers`(name: String) {
    #expect(LanguageSupport.of("bash").environmentCode([(name, "x")]) == nil)
  }

  @Test func `hostile values become literals of Java`() throws {
    let code = try #require(LanguageSupport.of("java").environmentCode([("A", "\\u0022\"\n")]))
    // Java replaces `\u0022` by a quote even in a literal, unless the backslash is escaped.
    #expect(code.set.contains("values = {\"\\\\u0022\\\"\\n\"};"))
  }

  @Test func `an unknown language has no code`() {
    #expect(LanguageSupport.of("cobol").environmentCode([("A", "x")]) == nil)
    #expect(
      ["python", "bash", "javascript", "typescript", "r", "java"].allSatisfy {
        LanguageSupport.of($0).environmentCode([]) != nil
      })
  }

  @Test func `directories are quoted`() {
    for (language, code) in [
      ("python", #"__import__("os").chdir("/a\"b")"#), ("r", #"setwd("/a\"b")"#),
      ("typescript", #"(globalThis.Deno ?? process).chdir("/a\"b");"#),
    ] {
      #expect(LanguageSupport.of(language).directoryCode("/a\"b") == code)
    }
    #expect(["bash", "cobol"].allSatisfy { LanguageSupport.of($0).directoryCode("/") == nil })
  }
}
