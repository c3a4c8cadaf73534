public import Loop

/// Where kernels come from: a Jupyter Server's REST API, or processes of our own.
@LoopActor
public protocol KernelProvider: AnyObject, Sendable {
  /// What can be started, as it was at most `maximumAge` ago.
  ///
  /// - Throws: `KernelProviderError`.
  func specs(maximumAge: Duration) async throws -> [KernelSpec]

  /// Starts a kernel and opens its channel. It may not take code yet: `Kernel.start` waits for that.
  ///
  /// - Parameters:
  ///   - directory: its working directory, absolute.
  ///   - environment: variables beyond those that the provider gives to every kernel.
  /// - Throws: `KernelProviderError`.
  func start(_ spec: KernelSpec, in directory: String, environment: [String: String]) async throws
    -> KernelConnection

  /// Opens a new channel to a kernel whose channel was lost.
  ///
  /// - Throws: `KernelProviderError.kernelIsGone` where the kernel has not outlived its channel.
  func reconnect(_ identifier: String) async throws -> any KernelChannel

  /// Interrupts what the kernel runs; when it returns, the interrupt is on its way to the kernel and not to anything
  /// that is sent afterwards.
  func interrupt(_ identifier: String) async throws

  /// Ends the kernel and all its children; they are gone when it returns. The kernel is asked first, and gets a moment to
  /// write what it has to write.
  ///
  /// - Parameter isBusy: code of ours runs in it, which would keep it from hearing the request.
  func shutDown(_ identifier: String, isBusy: Bool) async

  /// Ends the kernel and all its children at once, where the provider can do that, without asking it.
  func kill(_ identifier: String) async

  /// Waits until the provider makes kernels as well as it can; true where one that it made before is worse than those that
  /// it makes now.
  ///
  /// - Throws: `CancellationError`, `KernelProviderError`.
  func canUpgrade(_ identifier: String) async throws -> Bool

  /// Ends all kernels, and what was started to run them.
  func close() async

  /// True where a directory of this machine is what the provider's kernels see under that path.
  var sharesFileSystem: Bool { get }

  /// True where a kernel may be started while the one that it is to replace is ending. Others count both against a limit.
  var overlapsKernels: Bool { get }

  /// True where kernels start in the directory that `start` was given; gateways start them in their own.
  var startsInDirectory: Bool { get }
}

extension KernelProvider {
  /// Most providers make all kernels alike.
  public func canUpgrade(_ identifier: String) async throws -> Bool { false }
}

/// A kernel that a provider has started.
public struct KernelConnection: Sendable {
  /// The provider's name for it.
  public let identifier: String
  /// The way to it.
  public let channel: any KernelChannel
  /// True where it took code some time ago and has waited since: it may have died meanwhile.
  public var isWarm = false
}
