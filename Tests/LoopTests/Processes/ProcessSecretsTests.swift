import Glibc
import Testing

@testable import Loop

@Suite struct ProcessSecretsTests {
  @Test(arguments: [
    (["serve", "--token", "abc", "--port", "1"], ["abc"]),
    (["--token=abc", "--jupyter-token", "d"], ["abc", "d"]),
    (["--token=a=b"], ["a=b"]), (["--token", "--token", "x"], ["--token"]), (["--token-file", "x"], []),
    (["--token"], []),
    (["--token="], []), (["--token", "", "x"], []), (["token", "abc", "--port=1", "-token"], []),
    ([""], []), ([], []),
  ])
  func `the values of options are found`(arguments: [String], values: [String]) {
    var memory: [UInt8] = []
    for argument in arguments { memory += Array(argument.utf8) + [0] }
    let found = memory.withUnsafeBytes { ProcessSecrets.values(of: ["token", "jupyter-token"], in: $0) }
    #expect(
      found.map { String(decoding: memory[$0], as: UTF8.self) } == values)
  }

  @Test func `the arguments of this process are where the system says`() throws {
    let stat = try #require(SmallFile.readProcFile("/proc/self/stat"))
    let range = try #require(ProcessSecrets.argumentAddresses(inStat: stat))
    #expect(range.count == SmallFile.readProcFile("/proc/self/cmdline")?.count)
  }

  @Test(arguments: [
    "", "1 (a) S 1", "1 a S" + String(repeating: " 1", count: 60),
    "1 (a) S" + String(repeating: " 0", count: 60),
    "1 (a) S" + String(repeating: " -1", count: 60),
  ])
  func `a line without addresses has none`(line: String) {
    #expect(ProcessSecrets.argumentAddresses(inStat: Array(line.utf8)) == nil)
  }

  @Test func `a name in parentheses may hold anything`() {
    let fields = (3...52).map { $0 == 3 ? "S" : "\($0)" }.joined(separator: " ")
    #expect(ProcessSecrets.argumentAddresses(inStat: Array("1 (a) b) \(fields)".utf8)) == 48..<49)
  }

  @Test func `a variable is taken once`() {
    let name = "SECRET_OF_A_TEST_\(UInt32.random(in: 0 ... .max))"
    setenv(name, "value", 1)
    #expect(ProcessSecrets.takeVariable(name) == "value")
    #expect(ProcessSecrets.takeVariable(name) == nil && getenv(name) == nil)
  }
}
