import Bytes
import Wire

/// Whether a kernel can be met at Unix sockets, which nobody else on the machine can reach, and need no ports.
///
/// Kernels build the addresses of such sockets each in a way of their own, or take none; those in Python, and xeus, as
/// jupyter_client does.
enum SocketChoice: Sendable, Equatable {
  /// It can.
  case unix
  /// It should; if it does not start so, it is started again with ports.
  case unixElsePorts
  /// It may not.
  case ports
}

extension SocketChoice {
  /// A command that is longer is not looked at.
  private static let longestArgument = 16 << 10

  /// What a kernelspec says of it (`metadata.code_interpreter.transport`: `ipc` or `tcp`), or else what its command and its
  /// language say.
  ///
  /// - Parameter script: the beginning of the program, where that is a text.
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

  /// True where a word of `text` is a path or a name of Python's, or of ipykernel's module: a shell's command, or a script.
  private static func runsPython(_ text: Bytes) -> Bool {
    guard text.count <= longestArgument else { return false }
    let words = text.withSpan { span in
      var words: [Range<Int>] = []
      var start = 0
      for index in 0...span.count where index == span.count || !isOfWord(span[index]) {
        // Before a slash it is a directory.
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

  /// True of `python`, `python3`, `python3.11`.
  static func isNameOfPython(_ name: Bytes) -> Bool {
    name.hasPrefix("python") && name[6...].allSatisfy { $0.isDigit || $0 == UInt8(ascii: ".") }
  }

  /// What stands in names of programs and modules.
  private static func isOfWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
      UInt8(ascii: "."), UInt8(ascii: "-"), 0x80...:
      true
    default: byte.isDigit
    }
  }
}
