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
    let arguments = arguments.map { "\(JSONString.quote($0))" }
    let variables = environment.map { "\(JSONString.quote($0.key)):\(JSONString.quote($0.value))" }
    return Bytes(
      """
      {"id":\(identifier),"argv":[\(arguments.joined(separator: ","))],"cwd":\(JSONString.quote(directory)),\
      "env":{\(variables.joined(separator: ","))},"log":\(JSONString.quote(log))}

      """)
  }
}
