import Bytes
import Wire

/// Whether a kernel listens on Unix sockets, which other users of the machine cannot reach and which need no ports.
///
/// Kernels build the paths of Unix sockets in different ways, or do not support them. Python kernels and xeus build them as
/// jupyter_client does.
enum SocketChoice: Sendable, Equatable {
  /// It supports Unix sockets.
  case unix
  /// It should support Unix sockets. If it does not start with them, it is started again with ports.
  case unixElsePorts
  /// It may not support Unix sockets.
  case ports
}

extension SocketChoice {
  /// In bytes. Longer arguments are not searched.
  private static let longestArgument = 16 << 10

  /// Reads `metadata.code_interpreter.transport` of the kernelspec, `ipc` or `tcp`. Without it, the command and the language
  /// decide.
  ///
  /// - Parameter script: the beginning of the program, if that is a script.
  init(_ kernelspec: JSONSlice, arguments: [String], language: String, script: Bytes?) {
    switch kernelspec["metadata"]?["code_interpreter"]?["transport"] {
    case "ipc"?: self = .unix
    case "tcp"?: self = .ports
    default:
      if LocalKernelSpec.isPython(arguments[0]) {
        self = .unix
      } else if language == "python" || arguments.contains(where: { Self.runsPython(Bytes($0)) })
        || script.map(Self.runsPython) == true
      {
        self = .unixElsePorts
      } else {
        self = .ports
      }
    }
  }

  /// True if a word of `text`, a shell command or a script, is a path or a name of Python, or of ipykernel's module.
  private static func runsPython(_ text: Bytes) -> Bool {
    guard text.count <= longestArgument else { return false }
    let words = text.withSpan { span in
      var words: [Range<Int>] = []
      var start = 0
      for index in 0...span.count where index == span.count || !isOfWord(span[index]) {
        // A word before a slash is a directory.
        let isDirectory = index < span.count && span[index] == UInt8(ascii: "/")
        if index > start, !isDirectory { words.append(start..<index) }
        start = index + 1
      }
      return words
    }
    return words.contains { word in
      let name = text[word]
      return name.hasPrefix("ipykernel") || isNameOfPython(name)
    }
  }

  /// True for `python`, `python3`, `python3.11`.
  static func isNameOfPython(_ name: Bytes) -> Bool {
    name.hasPrefix("python") && name[6...].allSatisfy { $0.isDigit || $0 == UInt8(ascii: ".") }
  }

  /// True for the bytes of names of programs and modules.
  private static func isOfWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
      UInt8(ascii: "."), UInt8(ascii: "-"), 0x80...:
      true
    default: byte.isDigit
    }
  }
}
