public import HTTPServer
public import Jupyter
public import Loop

/// The options of a service.
public struct ServiceConfiguration: Sendable {
  /// The directory of the file API and of contexts that name none, absolute.
  let workspace: String
  /// The limit of contexts.
  let maximumContexts: Int
  /// The limit of a JSON request, in bytes. Uploads are streamed and not limited by it.
  let maximumBody: Int
  /// The grace period for running executions at shutdown.
  let grace: Duration
  /// After how long a context is deleted that nobody uses; nil for never.
  let idleTimeout: Duration?
  /// Who may use the server.
  let access: AccessPolicy
  /// The certificate and key of a server for `https`; nil for `http`.
  let identity: TLSIdentity?
  /// What each context may use, if its request does not say.
  let contextLimits: ResourceLimits
  /// What each context is kept from, if its request does not say.
  let contextIsolation: KernelIsolation
  /// How executions are treated.
  let executions: ExecutionOptions
  /// How connections are treated.
  let http: HTTPServerOptions

  /// Each as its property says.
  public init(
    workspace: String, maximumContexts: Int, maximumBody: Int, grace: Duration,
    idleTimeout: Duration?, access: AccessPolicy, identity: TLSIdentity?, contextLimits: ResourceLimits,
    contextIsolation: KernelIsolation, executions: ExecutionOptions,
    http: HTTPServerOptions
  ) {
    self.workspace = workspace
    self.maximumContexts = maximumContexts
    self.maximumBody = maximumBody
    self.grace = grace
    self.idleTimeout = idleTimeout
    self.access = access
    self.identity = identity
    self.contextLimits = contextLimits
    self.contextIsolation = contextIsolation
    self.executions = executions
    self.http = http
  }
}
