public import HTTPServer

/// The options of a service.
public struct ServiceConfiguration: Sendable {
  /// The directory of the file API and of contexts that name none, absolute.
  let workspace: String
  /// How many contexts there may be at once.
  let maximumContexts: Int
  /// How many executions may wait in one context.
  let maximumQueued: Int
  /// How many bytes of JSON a request may have. Uploads are streamed and not limited by it.
  let maximumBody: Int
  /// How long running executions may go on after the server was told to stop.
  let grace: Duration
  /// How connections are treated.
  let http: HTTPServerOptions

  /// Each as its property says.
  public init(
    workspace: String, maximumContexts: Int, maximumQueued: Int, maximumBody: Int, grace: Duration,
    http: HTTPServerOptions
  ) {
    self.workspace = workspace
    self.maximumContexts = maximumContexts
    self.maximumQueued = maximumQueued
    self.maximumBody = maximumBody
    self.grace = grace
    self.http = http
  }
}
