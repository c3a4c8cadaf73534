import Jupyter
import Loop
import Bytes
import Wire

extension Kernel {
  /// Runs the server's own code: not counted, not in the history, and without output.
  ///
  /// - Throws: `SilentCodeFailure` if it fails; `KernelEnd`.
  func runSilently(_ code: String) async throws {
    let request = session.silentExecution(of: code)
    var failure: String? = "an interrupt hit it"
    var isReplied = false
    for try await message in try await replies(to: request) {
      if message.isIdle, !isReplied { LoopActor.task { await self.concludeIfLost(request) } }
      guard message.isReply else { continue }
      isReplied = true
      failure = message.failure
    }
    if let failure { throw SilentCodeFailure(description: failure) }
  }

  /// The support for its language.
  var language: LanguageSupport { .of(spec.language) }

  /// Changes the kernel's working directory, if its language is supported.
  ///
  /// - Throws: `SilentCodeFailure` if it does not exist; `KernelEnd`.
  func changeDirectory(to directory: String) async throws {
    if let code = language.directoryCode(directory) { try await runSilently(code) }
  }
}

/// Silent code that failed.
struct SilentCodeFailure: Error, CustomStringConvertible {
  /// The kernel's error message.
  let description: String
}
