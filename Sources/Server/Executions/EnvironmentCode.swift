import Jupyter
import Bytes
import Wire

/// Code that sets environment variables in a kernel before an execution, and puts back afterwards what was there.
///
/// It runs as silent requests around the user's code, never in it: so line numbers, cell magics, `from __future__` and
/// the execution count stay as they are. What was there is kept in the kernel, out of the user's namespace.
struct EnvironmentCode: Sendable {
  /// Sets the variables.
  let set: String
  /// Puts back what was there. Running it twice does no harm, running it too early neither.
  let restore: String

  /// - Returns: nil for a language that we cannot do it in.
  init?(_ variables: [(name: String, value: String)], language: String) {
    switch language {
    case "python": self.init(python: variables)
    case "bash": self.init(bash: variables)
    case "javascript", "typescript": self.init(javascript: variables)
    case "r": self.init(r: variables)
    default: return nil
    }
  }

  /// A JSON string is a literal of Python, of JavaScript and of R, as long as only what must be escaped is.
  private static func quoted(_ text: String) -> String {
    "\"" + String(JSONString.contents(of: text)) + "\""
  }

  private static func object(_ variables: [(name: String, value: String)]) -> String {
    "{" + variables.map { "\(quoted($0.name)): \(quoted($0.value))" }.joined(separator: ", ") + "}"
  }
}

extension EnvironmentCode {
  private init(python variables: [(name: String, value: String)]) {
    let key = "_code_interpreter_environment"
    let set = """
      import os, sys
      saved = sys.__dict__.setdefault("\(key)", {})
      for name in values:
          saved.setdefault(name, os.environ.get(name))
      os.environ.update(values)
      """
    let restore = """
      import os, sys
      for name, value in sys.__dict__.get("\(key)", {}).items():
          if value is None:
              os.environ.pop(name, None)
          else:
              os.environ[name] = value
      sys.__dict__.pop("\(key)", None)
      """
    // `exec` in a namespace of its own: nothing of this is seen in the user's.
    let run = "__import__(\"builtins\").exec"
    self.set = "\(run)(\(Self.quoted(set)), {\"values\": \(Self.object(variables))})"
    self.restore = "\(run)(\(Self.quoted(restore)), {})"
  }

  private init(javascript variables: [(name: String, value: String)]) {
    let prelude = """
      const get = (n) => globalThis.Deno ? Deno.env.get(n) : process.env[n];
      const put = (n, v) => { if (globalThis.Deno) v === undefined ? Deno.env.delete(n) : Deno.env.set(n, v);
        else if (v === undefined) delete process.env[n]; else process.env[n] = v; };
      const key = Symbol.for("code-interpreter.environment");
      """
    self.set = """
      (() => { \(prelude) const values = \(Self.object(variables)); const saved = globalThis[key] ??= {};
        for (const n in values) { if (!(n in saved)) saved[n] = get(n); put(n, values[n]); } })();
      """
    self.restore = """
      (() => { \(prelude) const saved = globalThis[key] ?? {};
        for (const n in saved) put(n, saved[n]); delete globalThis[key]; })();
      """
  }

  private init(r variables: [(name: String, value: String)]) {
    let names = variables.map { Self.quoted($0.name) }.joined(separator: ", ")
    let values = variables.map { Self.quoted($0.value) }.joined(separator: ", ")
    self.set = """
      local({ names <- c(\(names)); saved <- Sys.getenv(names, unset = NA, names = FALSE); names(saved) <- names
        options(code_interpreter_environment = saved)
        do.call(Sys.setenv, as.list(setNames(c(\(values)), names))) })
      """
    self.restore = """
      local({ saved <- getOption("code_interpreter_environment")
        for (name in names(saved)) if (is.na(saved[[name]])) Sys.unsetenv(name)
          else do.call(Sys.setenv, as.list(saved[name]))
        options(code_interpreter_environment = NULL) })
      """
  }

  /// Bash cannot hold names that are not identifiers, and its kernel talks to a shell by the prompts that it has given
  /// it: nil then.
  private init?(bash variables: [(name: String, value: String)]) {
    let prompts: Set = ["PS1", "PS2", "PROMPT_COMMAND"]
    guard variables.allSatisfy({ Self.isIdentifier($0.name) && !prompts.contains($0.name) }) else {
      return nil
    }
    // `declare -p` prints what brings a variable back with its attributes, and nothing where there is none.
    self.set = variables.map { name, value in
      let saved = "__code_interpreter_\(name)"
      return "{ [[ -v \(saved) ]] || \(saved)=\"$(declare -p \(name) 2>/dev/null)\"; "
        + "export \(name)=\(Self.bashQuoted(value)); }"
    }.joined(separator: " && ")
    // Only where something was saved: a shell that has been started anew has its variables as they are to be.
    self.restore = variables.map { name, _ in
      let saved = "__code_interpreter_\(name)"
      return "if [[ -v \(saved) ]]; then unset \(name); eval \"$\(saved)\"; unset \(saved); fi"
    }.joined(separator: "; ")
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

  /// `$'…'` with everything but letters and digits as octal: one line of ASCII, which a kernel that types its code
  /// into a terminal needs.
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
