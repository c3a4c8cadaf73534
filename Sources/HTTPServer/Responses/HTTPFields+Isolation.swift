public import Wire

extension HTTPFields {
  /// For answers that hold what others have written: files, which code may have written, and refusals, which repeat what the
  /// client has sent. A browser takes them for nothing but what their type says. The scripts of a page run in an origin
  /// of its own (`sandbox` without `allow-same-origin`), so that they cannot ask this server for anything. Pages of other
  /// sites cannot load them.
  public static let isolation: HTTPFields = [
    "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox allow-scripts",
    "Cross-Origin-Resource-Policy": "same-origin",
  ]
}
