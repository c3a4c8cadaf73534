/// How a process ended.
public enum ExitStatus: Sendable, Equatable {
  /// It exited with this status.
  case code(Int)
  /// A signal with this number killed it.
  case signal(Int)
  /// The status is lost: the process that could have reported it has ended too.
  case unknown
}

extension ExitStatus: CustomStringConvertible {
  /// For messages: `exited with status 1`, `killed by SIGKILL`.
  public var description: String {
    switch self {
    case .code(let code): "exited with status \(code)"
    case .signal(let number): "killed by \(Self.name(ofSignal: number))"
    case .unknown: "ended, and nobody knows how"
    }
  }

  /// Decodes the status of waitpid(2).
  init(waitStatus: CInt) {
    let signal = waitStatus & 0x7F
    self = signal == 0 ? .code(Int(waitStatus >> 8 & 0xFF)) : .signal(Int(signal))
  }

  private static func name(ofSignal number: Int) -> String {
    names.indices.contains(number - 1) ? "SIG" + names[number - 1] : "signal \(number)"
  }

  /// The signals from number 1 on, in the numbering of Linux on x86 and ARM.
  private static let names = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
    "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
    "WINCH", "IO", "PWR", "SYS",
  ]
}
