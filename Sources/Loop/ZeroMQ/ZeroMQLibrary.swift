import CZMQ

/// The functions of libzmq. They are there once a `ZeroMQContext` was made.
var zmq: czmq_functions { ZeroMQLibrary.functions }

/// libzmq, loaded when it is first used. A server over a Jupyter Server does without it, and without the eleven libraries that
/// Debian's libzmq needs: together they take 1.8 MiB of resident memory.
enum ZeroMQLibrary {
  fileprivate static let functions = loaded.functions
  private static let loaded = load()

  private static func load() -> (functions: czmq_functions, failure: String?) {
    var functions = czmq_functions()
    let failure = czmq_load(&functions).map { String(cString: $0) }
    return (functions, failure)
  }

  /// - Throws: where libzmq cannot be loaded.
  static func check() throws(SystemRequirementError) {
    if let failure = loaded.failure { throw .libzmq(failure) }
  }
}
