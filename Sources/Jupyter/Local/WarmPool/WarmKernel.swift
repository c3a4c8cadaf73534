import Loop
import Bytes
import Wire

/// A kernel that has run code, and that no context has taken yet.
@LoopActor
struct WarmKernel {
  let connection: KernelConnection

  /// The connection, marked as that of a warm kernel.
  var taken: KernelConnection {
    var connection = connection
    connection.isWarm = true
    return connection
  }

  /// Waits until the kernel has run silent code. This includes the work that a kernel does once, before its first code. It
  /// leaves no trace: silent code has no execution count and is not in the history.
  ///
  /// - Throws: `KernelEnd`, `DeadlineExceeded`, what the channel throws.
  init(_ connection: KernelConnection) async throws {
    self.connection = connection
    try await withDeadline(Kernel.startLimit) { try await Self.run("pass", on: connection.channel) }
  }

  /// Changes the kernel's directory to `directory`, as if it had been started there. This includes the variables in which
  /// IPython and multiprocessing remember where they started.
  func move(to directory: String) async throws {
    let code = """
      (lambda new, os, sys, shell: (
        os.chdir(new),
        [setattr(module, "ORIGINAL_DIR", new) for module in [sys.modules.get("multiprocessing.process")] if module],
        shell and shell.user_ns["_dh"].__setitem__(slice(None), [type(shell.user_ns["_dh"][0])(new)])
      ))(\(JSONString.quote(directory)), __import__("os"), __import__("sys"),
        getattr(__import__("builtins"), "get_ipython", lambda: None)())
      """
    let channel = connection.channel
    try await withDeadline(Kernel.startLimit) { try await Self.run(code, on: channel) }
  }

  /// Runs silent code. It is sent again after a second without an end, as the subscription may not have reached the kernel
  /// yet.
  private static func run(_ code: String, on channel: any KernelChannel) async throws {
    let session = MessageSession()
    while true {
      let request = session.execution(of: JSONString.contents(of: code), isSilent: true)
      try await channel.send(request)
      do {
        return try await withDeadline(.seconds(1)) { try await awaitEnd(of: request, on: channel) }
      } catch is DeadlineExceeded {
        continue
      }
    }
  }

  private static func awaitEnd(of request: KernelRequest, on channel: any KernelChannel) async throws {
    var progress = RequestProgress()
    while !progress.isComplete {
      guard case .message(let message) = try await channel.next() else {
        throw KernelProviderError.kernelIsGone
      }
      guard message.parentIdentifier == request.identifier else { continue }
      progress.note(message)
      guard message.isReply else { continue }
      let content = try message.content()
      if content["status"]?.isString("ok") != true {
        throw KernelProviderError.refused(
          content["evalue"]?.excerpt() ?? "the kernel could not run code of ours")
      }
    }
  }
}
