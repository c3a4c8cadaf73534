@testable import Jupyter
@testable import Bytes
import Testing

@testable import Server

@Suite struct LanguagesTests {
  private let languages = Languages(specs: [
    KernelSpec(name: "other-python", displayName: "Other", language: "python"),
    KernelSpec(name: "python3", displayName: "Python 3", language: "python"),
    KernelSpec(name: "bash", displayName: "Bash", language: "bash"),
    KernelSpec(name: "deno", displayName: "Deno", language: "TypeScript"),
  ])

  @Test(arguments: [
    (" Python ", "python"), ("py", "python"), ("PYTHON3", "python"), ("js", "javascript"),
    ("ts", "typescript"),
    ("sh", "bash"), ("\tr\n", "r"),
  ])
  func namesAreMatchedWithoutCaseAndSurroundingSpace(name: String, canonical: String) {
    #expect(Languages.canonicalName(Bytes(name)) == canonical)
  }

  @Test(arguments: [
    ("python", "python3"), ("other-python", "other-python"), ("bash", "bash"), ("typescript", "deno"),
    ("javascript", "deno"), ("deno", "deno"),
  ])
  func aLanguageIsAKernelByNameOrByWhatItDeclares(name: String, spec: String) {
    #expect(languages.spec(for: name)?.name == spec)
  }

  @Test func anUnknownLanguageIsNone() {
    #expect(languages.spec(for: "cobol") == nil)
    #expect(languages.list == "bash, javascript, python, typescript")
  }
}
