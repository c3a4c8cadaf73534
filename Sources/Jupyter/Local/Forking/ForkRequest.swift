import Bytes
import Wire

/// A request to the fork server for a kernel: one line of JSON.
struct ForkRequest: Sendable {
  /// The arguments after the name of the program.
  let arguments: [String]
  let directory: String
  /// All of the kernel's variables.
  let environment: [String: String]
  /// The path of a FIFO, open for reading, for what the kernel writes outside of executions.
  let log: String
  /// What the kernel is to take from itself; nil for nothing.
  var isolation: IsolationPolicy?

  /// The line. Replies to it have the same identifier.
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
      if let isolation {
        json.key("isolation")
        isolation.write(to: &json)
      }
    }
    json.endLine()
    return json.takeAll()
  }
}
