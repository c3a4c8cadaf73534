import Bytes
import Wire

/// What the fork server is told of a kernel that is wanted: one line of JSON.
struct ForkRequest: Sendable {
  /// What follows the name of the program.
  let arguments: [String]
  let directory: String
  /// All of the kernel's variables.
  let environment: [String: String]
  /// A pipe with a name, open for reading, for all that the kernel writes beside its work.
  let log: String

  /// The line, under a number that the replies carry too.
  func line(_ identifier: Int64) -> Bytes {
    var json = JSONWriter()
    json.object { json in
      json.key("id")
      json.value(identifier)
      json.key("argv")
      json.array { json in for argument in arguments { json.value(argument) } }
      json.key("cwd")
      json.value(directory)
      json.key("env")
      json.value(environment)
      json.key("log")
      json.value(log)
    }
    json.endLine()
    return json.takeAll()
  }
}
