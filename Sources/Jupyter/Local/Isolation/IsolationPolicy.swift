import Bytes
import Loop
import Wire

/// What a process of a kernel is to take from itself before it runs users' code, as the kernel package reads it.
struct IsolationPolicy: Sendable, Equatable {
  /// The variable in which the module `launcher` finds the policy.
  static let variable = "CODE_INTERPRETER_ISOLATION"
  /// What the names of the kernel's own variables begin with there.
  static let prefix = "CODE_INTERPRETER_VARIABLE_"
  /// The module that restricts its process, and then executes a kernel.
  static let launcher = "code_interpreter_kernel.isolated"

  let isolation: KernelIsolation
  /// The kernel's own directory.
  let directory: String
  /// Its working directory, without links in its path; nil if it is told later.
  let workingDirectory: String?
  /// What it may read beside the system and its Python.
  let readable: [String]

  /// As JSON.
  func write(to json: inout JSONWriter) {
    json.object { json in
      json.key("isolated")
      json.value(isolation.isIsolated)
      json.key("network")
      json.value(isolation.hasNetwork)
      json.key("directory")
      json.value(directory)
      json.key("cwd")
      json.value(workingDirectory ?? "")
      json.key("readable")
      json.array { json in for path in readable { json.value(path) } }
    }
  }

  /// The value of `variable`.
  var text: String {
    var json = JSONWriter()
    write(to: &json)
    return String(json.takeAll())
  }
}
