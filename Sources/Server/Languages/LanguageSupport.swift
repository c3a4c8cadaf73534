import Bytes
import Wire

/// Support for a language beyond the Jupyter protocol.
struct LanguageSupport: Sendable {
  typealias Variables = [(name: String, value: String)]

  /// Code that sets environment variables and restores them; nil if these names cannot be set.
  let environmentCode: @Sendable (Variables) -> EnvironmentCode?
  /// Code that changes the working directory to an absolute path; nil if unsupported.
  let directoryCode: @Sendable (String) -> String?
  /// How to wait for output that the kernel sends after its status `idle`.
  let lateOutput: LateOutput
  /// True if a kernel exits by itself when its code asks it to; false if the client has to end it.
  let endsByItself: Bool

  /// How late output may arrive, and how to detect its end.
  enum LateOutput: Sendable {
    /// None.
    case none
    /// Before the reply to another request.
    case beforeNextReply
    /// Before the given text, which this code prints.
    case before(@Sendable (String) -> String)
  }

  /// An unknown language.
  static let unknown = LanguageSupport(
    environmentCode: { _ in nil }, directoryCode: { _ in nil }, lateOutput: .beforeNextReply,
    endsByItself: false)

  /// The support for a language, by the name in its kernelspec.
  static func of(_ language: String) -> LanguageSupport {
    switch language {
    case "python": python
    case "bash": bash
    case "javascript", "typescript": javaScript
    case "r": r
    case "java": java
    default: unknown
    }
  }

  /// A JSON string is also a literal in Python, JavaScript and R if only mandatory escapes are used.
  static func quoted(_ text: String) -> String { String(JSONString.quote(text)) }

  /// The variables as a JSON object, which is a literal in Python and JavaScript.
  static func object(_ variables: Variables) -> String {
    "{" + variables.map { "\(quoted($0.name)): \(quoted($0.value))" }.joined(separator: ", ") + "}"
  }
}
