/// What a service is told from outside.
public struct ServiceConfiguration: Sendable {
  /// The directory of the file API and of contexts that name none, absolute.
  public var workspace: String
  /// How many contexts there may be at once.
  public var maximumContexts = 64
  /// How many executions may wait in one context.
  public var maximumQueued = 256
  /// How many bytes of JSON a request may have. Uploads are streamed and not limited by it.
  public var maximumBody = 64 << 20
  /// How long running executions may go on after the server was told to stop.
  public var grace: Duration = .seconds(10)

  /// Defaults for all but the workspace.
  public init(workspace: String) { self.workspace = workspace }
}
