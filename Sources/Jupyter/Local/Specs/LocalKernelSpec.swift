import Bytes
import Wire

/// A kernelspec that is installed on this machine, with everything that starting a kernel takes.
///
/// https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs
struct LocalKernelSpec: Sendable, Equatable {
  /// How a kernel wants to be interrupted.
  enum InterruptMode: String, Sendable {
    /// By SIGINT to its process group.
    case signal
    /// By a request on the control channel.
    case message
  }

  /// The part that does not depend on this machine.
  let spec: KernelSpec
  /// The command, with `{connection_file}` and the like in it.
  let arguments: [String]
  /// Its own variables, in which `${NAME}` stands for an inherited variable.
  let environment: [String: String]
  let interruptMode: InterruptMode
  /// The directory of the kernelspec: `{resource_dir}`.
  let resourceDirectory: String
  /// True if the kernel drops no output, however long nobody reads it. What a client does not read may then wait in the
  /// kernel instead of in this process. True for the kernels of our package; other kernelspecs may declare it by
  /// `metadata.code_interpreter.keeps_output`.
  let keepsOutput: Bool
  /// True for the kernels of our package.
  let isOurs: Bool

  /// Whether it listens on Unix sockets or on ports.
  let sockets: SocketChoice

  /// How many bytes the name of a variable may have. Variables with longer names, or with names beyond ASCII, are left out.
  private static let longestVariable = 1024

  /// Reads a `kernel.json`; nil if it is not a kernelspec.
  ///
  /// - Parameter script: the beginning of the kernelspec's program, if that is a script.
  init?(name: String, json: Bytes, resourceDirectory: String, script: Bytes? = nil) {
    guard let json = try? JSONSlice.parse(json), json.kind == .object,
      let arguments = json["argv"]?.elements.map({ $0.text.map(String.init) }), !arguments.isEmpty,
      let language = (json["language"]).map({ $0.ascii(atMost: KernelSpec.longestName) }) ?? name
    else { return nil }
    self.arguments = arguments.compactMap { $0 }
    guard self.arguments.count == arguments.count else { return nil }
    spec = KernelSpec(
      name: name, displayName: json["display_name"]?.excerpt() ?? name, language: language)
    var environment: [String: String] = [:]
    json["env"]?.forEachMember { name, value in
      if let name = name.ascii(atMost: Self.longestVariable), let value = value.text {
        environment[name] = String(value)
      }
    }
    self.environment = environment
    interruptMode =
      json["interrupt_mode"]?.isString(InterruptMode.message.rawValue) == true ? .message : .signal
    isOurs = resourceDirectory.contains("/code_interpreter_kernel/kernels/")
    keepsOutput = json["metadata"]?["code_interpreter"]?["keeps_output"]?.bool ?? isOurs
    self.resourceDirectory = resourceDirectory
    sockets = SocketChoice(json, arguments: self.arguments, language: spec.language, script: script)
  }

  /// The path of its program; nil if it is looked up in `PATH`.
  var program: String? {
    let program = LaunchPlan.fill(arguments[0], with: ["resource_dir": resourceDirectory])
    return program.utf8.first == UInt8(ascii: "/") ? program : nil
  }

  /// True if the command is a Python interpreter.
  var isPython: Bool { Self.isPython(arguments[0]) }

  /// True for `python`, `python3`, `python3.11`, with or without a path.
  static func isPython(_ command: String) -> Bool {
    let name = command.utf8.split(separator: UInt8(ascii: "/")).last ?? "".utf8[...]
    return SocketChoice.isNameOfPython(Bytes(name))
  }

  /// Compares as bytes, as a kernelspec may hold any text.
  static func == (left: LocalKernelSpec, right: LocalKernelSpec) -> Bool {
    left.spec == right.spec && left.interruptMode == right.interruptMode
      && left.keepsOutput == right.keepsOutput
      && left.resourceDirectory.hasSameBytes(as: right.resourceDirectory)
      && left.arguments.elementsEqual(right.arguments) { $0.hasSameBytes(as: $1) }
      && left.environment.count == right.environment.count
      && left.environment.allSatisfy { right.environment[$0]?.hasSameBytes(as: $1) == true }
  }
}
