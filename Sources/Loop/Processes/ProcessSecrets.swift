import CUV
import Glibc

/// Keeps secrets of this process from other processes of its user: the programs that it runs are no friends of it.
///
/// Call it at the start of the program, while there is one thread: it changes the environment.
public enum ProcessSecrets {
  /// Takes the value of a variable out of the environment, and out of the memory that `/proc/PID/environ` shows; nil if it
  /// is not set.
  public static func takeVariable(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    defer { wipeVariable(name) }
    return String(cString: value)
  }

  /// Overwrites the values of these options, given without dashes, in the memory that `/proc/PID/cmdline` shows to all users.
  /// `CommandLine.arguments` may change, too, so it is read before.
  public static func wipeArguments(of options: [String]) {
    // Swift's own copy of the arguments is another memory.
    guard let stat = SmallFile.readProcFile("/proc/self/stat"), let range = argumentAddresses(inStat: stat),
      let start = UnsafeMutableRawPointer(bitPattern: range.lowerBound)
    else { return }
    let memory = UnsafeMutableRawBufferPointer(start: start, count: range.count)
    for value in values(of: options, in: UnsafeRawBufferPointer(memory)) {
      for index in value { memory[index] = 0 }
    }
  }

  /// Makes the memory, the environment and the descriptors of this process unreadable to all but root, for the rest of its
  /// life (PR_SET_DUMPABLE of prctl(2)): no debugger can attach, and no core is written. Programs that it starts are not
  /// affected, but for a core limit of zero, which they may raise again.
  public static func hideMemory() {
    _ = forbidDumps()
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_CORE.rawValue)
    guard getrlimit(resource, &limit) == 0 else { return }
    limit.rlim_cur = 0
    setrlimit(resource, &limit)
  }

  /// Keeps descriptors that this process has inherited from the programs that it starts. What was a secret's file could be
  /// read again there.
  public static func keepInheritedDescriptors() {
    if closeRangeOnExec(3) == 0 { return }
    // Before Linux 5.11.
    for number in 3..<CInt(clamping: min(sysconf(CInt(_SC_OPEN_MAX)), mostDescriptors)) {
      let flags = fcntl(number, F_GETFD)
      if flags >= 0 { _ = fcntl(number, F_SETFD, flags | FD_CLOEXEC) }
    }
  }

  private static let mostDescriptors = 65_536

  /// Fields 48 and 49 of `/proc/self/stat` (proc_pid_stat(5)). The second field is in parentheses and may contain anything.
  static func argumentAddresses(inStat stat: [UInt8]) -> Range<UInt>? {
    guard let name = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
    let fields = stat[(name + 1)...].split(separator: UInt8(ascii: " "))
    guard fields.count > 46, let start = UInt(String(decoding: fields[45], as: UTF8.self)),
      let end = UInt(String(decoding: fields[46], as: UTF8.self)), start > 0, start < end
    else { return nil }
    return start..<end
  }

  /// Where the values of options are in arguments that each end with NUL: behind `--option=`, or in the argument after
  /// `--option`.
  static func values(of options: [String], in arguments: UnsafeRawBufferPointer) -> [Range<Int>] {
    var found: [Range<Int>] = []
    var valueFollows = false
    for argument in arguments.split(separator: 0, omittingEmptySubsequences: false) {
      let name = argument.prefix { $0 != UInt8(ascii: "=") }
      let isSecret = options.contains { name.elementsEqual("--\($0)".utf8) }
      if valueFollows {
        found.append(argument.startIndex..<argument.endIndex)
      } else if isSecret, name.endIndex < argument.endIndex {
        found.append(name.endIndex + 1..<argument.endIndex)
      }
      valueFollows = !valueFollows && isSecret && name.endIndex == argument.endIndex
    }
    return found.filter { !$0.isEmpty }
  }
}
