import Jupyter
import Loop
import Bytes
import Wire

extension Kernel {
  /// Runs code of ours, which is not counted, not kept in the history and not shown.
  ///
  /// - Throws: `SilentCodeFailure` if it fails; `KernelEnd`.
  func runSilently(_ code: String) async throws {
    let request = session.execution(of: JSONString.contents(of: code), isSilent: true)
    var failure: String? = "an interrupt hit it"
    var isReplied = false
    for try await message in try await replies(to: request) {
      if message.isIdle, !isReplied { LoopActor.task { await self.concludeIfLost(request) } }
      guard message.isReply else { continue }
      isReplied = true
      let content = try? message.content()
      let isDone = content?["status"]?.isString("ok") == true
      failure = isDone ? nil : content?["evalue"]?.excerpt() ?? "no reason given"
    }
    if let failure { throw SilentCodeFailure(description: failure) }
  }

  /// What is known of its language.
  var language: LanguageSupport { .of(spec.language) }

  /// Makes `directory` the kernel's working directory, in the languages in which we know how.
  ///
  /// - Throws: `SilentCodeFailure` if it does not exist; `KernelEnd`.
  func changeDirectory(to directory: String) async throws {
    if let code = language.directoryCode(directory) { try await runSilently(code) }
  }
}

/// Code of ours that the kernel could not run.
struct SilentCodeFailure: Error, CustomStringConvertible {
  /// What the kernel said of it.
  let description: String
}
