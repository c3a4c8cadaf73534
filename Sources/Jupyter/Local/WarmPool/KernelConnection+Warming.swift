import Loop
import Bytes
import Wire

extension KernelConnection {
  /// Runs silent code, so that the kernel does the work that it does once, before its first code. It leaves no trace: silent
  /// code has no execution count and is not in the history. Nothing else may use the channel meanwhile.
  ///
  /// - Throws: `KernelEnd`, `DeadlineExceeded`, what the channel throws.
  @LoopActor
  func warmUp() async throws { try await runSilently("pass") }

  /// Changes the kernel's directory to `directory`, as if it had been started there. This includes the variables in which
  /// IPython and multiprocessing remember where they started.
  @LoopActor
  func move(to directory: String) async throws { try await runSilently(Self.move(to: directory)) }

  /// Isolates a kernel that was started without a directory, and moves it there.
  ///
  /// - Throws: what `move` throws. It may not be isolated then, and must be killed.
  @LoopActor
  func enter(_ directory: String) async throws {
    let isolate =
      "__import__('code_interpreter_kernel.deferred').deferred.enter(\(JSONString.quote(directory)))"
    try await runSilently("\(isolate), \(Self.move(to: directory))")
  }

  private static func move(to directory: String) -> String {
    """
    (lambda new, os, sys, shell: (
      os.chdir(new),
      [setattr(module, "ORIGINAL_DIR", new) for module in [sys.modules.get("multiprocessing.process")] if module],
      shell and shell.user_ns["_dh"].__setitem__(slice(None), [type(shell.user_ns["_dh"][0])(new)])
    ))(\(JSONString.quote(directory)), __import__("os"), __import__("sys"),
      getattr(__import__("builtins"), "get_ipython", lambda: None)())
    """
  }

  /// The code is sent again after a second without an end, as the subscription may not have reached the kernel yet.
  @LoopActor
  private func runSilently(_ code: String) async throws {
    let session = MessageSession()
    try await withDeadline(Kernel.startLimit) {
      while true {
        let request = session.silentExecution(of: code)
        try await channel.send(request)
        do {
          return try await withDeadline(.seconds(1)) { try await untilDone(with: request) }
        } catch is DeadlineExceeded {
          continue
        }
      }
    }
  }

  @LoopActor
  private func untilDone(with request: KernelRequest) async throws {
    var progress = RequestProgress()
    while !progress.isComplete {
      guard case .message(let message) = try await channel.next() else {
        throw KernelProviderError.kernelIsGone
      }
      guard message.parentIdentifier == request.identifier else { continue }
      progress.note(message)
      if message.isReply, let reason = message.failure { throw KernelProviderError.refused(reason) }
    }
  }
}
