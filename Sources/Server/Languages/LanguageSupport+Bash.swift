extension LanguageSupport {
  /// bash_kernel.
  static let bash = LanguageSupport(
    environmentCode: { bashEnvironment($0) }, directoryCode: { _ in nil },
    lateOutput: .beforeNextReply, endsByItself: false)

  /// Bash has only variables whose names are identifiers, and bash_kernel relies on the prompts that it has set: nil
  /// for both.
  private static func bashEnvironment(_ variables: Variables) -> EnvironmentCode? {
    let prompts: Set = ["PS1", "PS2", "PROMPT_COMMAND"]
    guard variables.allSatisfy({ isIdentifier($0.name) && !prompts.contains($0.name) }) else {
      return nil
    }
    // `declare -p` prints code that restores a variable with its attributes, and nothing if it is not set.
    let setting = variables.map { name, value in
      let saved = "__code_interpreter_\(name)"
      return "{ [[ -v \(saved) ]] || \(saved)=\"$(declare -p \(name) 2>/dev/null)\"; "
        + "export \(name)=\(bashQuoted(value)); }"
    }.joined(separator: " && ")
    // Only if something was saved: a restarted shell already has its own values.
    let restoring = variables.map { name, _ in
      let saved = "__code_interpreter_\(name)"
      return "if [[ -v \(saved) ]]; then unset \(name); eval \"$\(saved)\"; unset \(saved); fi"
    }.joined(separator: "; ")
    return EnvironmentCode(set: setting, restore: restoring)
  }

  private static func isIdentifier(_ name: String) -> Bool {
    name.utf8.enumerated().allSatisfy { index, byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
        true
      case UInt8(ascii: "0")...UInt8(ascii: "9"): index > 0
      default: false
      }
    }
  }

  /// `$'…'` with everything but letters and digits in octal: one line of ASCII, as bash_kernel types its code into a
  /// terminal.
  private static func bashQuoted(_ value: String) -> String {
    var result = "$'"
    for byte in value.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        result.append(Character(Unicode.Scalar(byte)))
      default:
        let digits = String(byte, radix: 8)
        result += "\\" + String(repeating: "0", count: 3 - digits.count) + digits
      }
    }
    return result + "'"
  }
}
