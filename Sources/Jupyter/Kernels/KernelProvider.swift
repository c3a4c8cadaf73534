public import Loop

/// Where kernels come from: the REST API of a Jupyter Server, or processes of our own.
@LoopActor
public protocol KernelProvider: AnyObject, Sendable {
  /// The installed kernels. The list is at most `maximumAge` old.
  ///
  /// - Throws: `KernelProviderError`.
  func specs(maximumAge: Duration) async throws -> [KernelSpec]

  /// Starts a kernel and opens its channel. It may not take code yet: `Kernel.start` waits for that.
  ///
  /// - Parameters:
  ///   - directory: its working directory, absolute.
  ///   - environment: variables beyond those that the provider gives to every kernel.
  ///   - isolation: what it is kept from; the provider has no `obstacle` to it.
  /// - Throws: `KernelProviderError`.
  func start(
    _ spec: KernelSpec, in directory: String, environment: [String: String], isolation: KernelIsolation
  ) async throws -> KernelConnection

  /// Why kernels of this kind cannot be kept from that; nil if they can.
  func obstacle(to isolation: KernelIsolation, for spec: KernelSpec) async -> String?

  /// Opens a new channel to a kernel whose channel was lost.
  ///
  /// - Throws: `KernelProviderError.kernelIsGone` if the kernel has ended.
  func reconnect(_ identifier: String) async throws -> any KernelChannel

  /// Interrupts the code that the kernel runs. When it returns, the interrupt cannot hit code that is sent afterwards.
  func interrupt(_ identifier: String) async throws

  /// Kills the processes that the kernel has started, and not the kernel: code may wait for one that ignores interrupts.
  ///
  /// - Returns: False if the provider cannot do that.
  func endChildren(_ identifier: String) async -> Bool

  /// What the kernel and its children use; nil if the provider does not know, or the kernel has ended.
  func usage(of identifier: String) async -> ProcessUsage?

  /// Limits what a kernel and its children may use; for providers with `limitsKernels`. Called before users' code runs.
  ///
  /// - Parameter directory: its working directory.
  /// - Throws: `KernelProviderError.limitTooLow`.
  func limit(_ identifier: String, to limits: ResourceLimits, in directory: String) async throws

  /// How the kernel's resources are limited; empty if they are not.
  func limitMethods(of identifier: String) -> [LimitMethod]

  /// Ends the kernel and all its children, which are gone on return. Sends a shutdown request first, and gives the
  /// kernel time to write its files.
  ///
  /// - Parameter isBusy: true if running code keeps the kernel from reading the request.
  func shutDown(_ identifier: String, isBusy: Bool) async

  /// Ends the kernel and all its children without a shutdown request, if the provider can do that.
  func kill(_ identifier: String) async

  /// True if the provider can now start a better kernel than this one, such as one with modules preloaded. Waits until the
  /// provider has prepared what makes the difference.
  ///
  /// - Throws: `CancellationError`, `KernelProviderError`.
  func canUpgrade(_ identifier: String) async throws -> Bool

  /// Ends all kernels, and the processes that were started to run them.
  func close() async

  /// True if kernels see the files of this machine under the same paths.
  var sharesFileSystem: Bool { get }

  /// True if a kernel may be started while the one that it replaces is still ending. Some gateways count both against
  /// a limit.
  var overlapsKernels: Bool { get }

  /// True if it may restart a kernel by itself, which then no longer listens where its channel was opened.
  var restartsKernels: Bool { get }

  /// True if `limit` can do what it is asked. Kernels of others are not ours to limit.
  var limitsKernels: Bool { get }

  /// True if kernels start in the directory passed to `start`. Gateways use their own.
  var startsInDirectory: Bool { get }

  /// True if kernels start with the environment that `start` is given. Jupyter Servers ignore it, and gateways take some variables.
  var startsWithEnvironment: Bool { get }
}

extension KernelProvider {
  /// A Jupyter Server cannot do that.
  public func obstacle(to isolation: KernelIsolation, for spec: KernelSpec) async -> String? {
    isolation.isAny ? "it needs kernels that this server runs itself (--backend local)" : nil
  }

  /// A Jupyter Server cannot do that.
  public func endChildren(_ identifier: String) async -> Bool { false }

  /// A Jupyter Server does not report it.
  public func usage(of identifier: String) async -> ProcessUsage? { nil }

  /// A Jupyter Server cannot do that.
  public var limitsKernels: Bool { false }

  /// A kernel of ours that has ended is not started again by its provider.
  public var restartsKernels: Bool { false }

  /// A Jupyter Server cannot do that.
  public func limit(_ identifier: String, to limits: ResourceLimits, in directory: String) async throws {}

  /// A Jupyter Server cannot do that.
  public func limitMethods(of identifier: String) -> [LimitMethod] { [] }

  /// Most providers start all kernels in the same way.
  public func canUpgrade(_ identifier: String) async throws -> Bool { false }
}

/// A kernel that a provider has started.
public struct KernelConnection: Sendable {
  /// The provider's identifier.
  let identifier: String
  /// The connection to it.
  let channel: any KernelChannel
  /// True for a kernel of the warm pool, which may have died in the pool.
  var isWarm = false
}

/// Why a provider could not do what it was asked.
public enum KernelProviderError: Error, CustomStringConvertible {
  /// It does not answer, or its answer is malformed.
  case unavailable(String)
  /// It answers, and refuses.
  case refused(String)
  /// It has no such kernel any more.
  case kernelIsGone
  /// The kernel did not answer in time, or ended.
  case kernelDidNotStart(String)
  /// The working directory does not exist.
  case noDirectory(String)
  /// The kernel needs more than it may use.
  case limitTooLow(String)

  /// The error in words.
  public var description: String {
    switch self {
    case .unavailable(let reason): reason
    case .refused(let reason): reason
    case .kernelIsGone: "the kernel is gone"
    case .kernelDidNotStart(let reason): "the kernel did not start: \(reason)"
    case .limitTooLow(let reason): reason
    case .noDirectory(let path): "Working directory \(path) does not exist"
    }
  }
}
