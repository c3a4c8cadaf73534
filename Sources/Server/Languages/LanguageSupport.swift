import Bytes
import Wire

/// What the server knows of a language beyond the Jupyter protocol: one value for each.
struct LanguageSupport: Sendable {
  typealias Variables = [(name: String, value: String)]

  /// Code that sets environment variables and puts back what was there; nil if these names cannot be set.
  let environmentCode: @Sendable (Variables) -> EnvironmentCode?
  /// Code that makes a directory, an absolute path, the working directory; nil for none.
  let directoryCode: @Sendable (String) -> String?
  /// How output is waited for that a kernel sends behind its status `idle`.
  let lateOutput: LateOutput
  /// True if a kernel that its code has asked to end does so by itself, and does not leave it to its client.
  let endsByItself: Bool

  /// How late output may come, and how one knows that all of it has come.
  enum LateOutput: Sendable {
    /// None comes.
    case none
    /// It comes before the reply to another request.
    case beforeNextReply
    /// It comes before what this code prints, which is the given text.
    case before(@Sendable (String) -> String)
  }

  /// A language of which nothing is known.
  static let unknown = LanguageSupport(
    environmentCode: { _ in nil }, directoryCode: { _ in nil }, lateOutput: .beforeNextReply,
    endsByItself: false)

  /// What is known of a language, by the name that its kernelspec declares.
  static func of(_ language: String) -> LanguageSupport {
    switch language {
    case "python": python
    case "bash": bash
    case "javascript", "typescript": javaScript
    case "r": r
    default: unknown
    }
  }

  /// A JSON string is a literal of Python, of JavaScript and of R, as long as only what must be escaped is.
  static func quoted(_ text: String) -> String { String(JSONString.quote(text)) }

  /// The variables as an object of JSON, which is a literal of Python and of JavaScript.
  static func object(_ variables: Variables) -> String {
    "{" + variables.map { "\(quoted($0.name)): \(quoted($0.value))" }.joined(separator: ", ") + "}"
  }
}
