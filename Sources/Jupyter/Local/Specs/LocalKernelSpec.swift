import Bytes
import Wire

/// A kernelspec as it is installed on this machine, with all that it takes to start one.
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

  /// What others see of it.
  let spec: KernelSpec
  /// The command, with `{connection_file}` and the like in it.
  let arguments: [String]
  /// Variables of its own, in which `${NAME}` stands for variables of ours.
  let environment: [String: String]
  let interruptMode: InterruptMode
  /// Where the kernelspec lies: `{resource_dir}`.
  let resourceDirectory: String
  /// True where the kernel drops none of its output however long nobody takes it, so that what a client does not read
  /// may wait in the kernel, and not with us. Our own package's kernels are so; of another its kernelspec may say so
  /// by `metadata.code_interpreter.keeps_output`.
  let keepsOutput: Bool
  /// True of our own package's kernels.
  let isOurs: Bool

  /// Where it can be met.
  let sockets: SocketChoice

  /// How many bytes the name of a variable may have; others, and those beyond ASCII, are left out.
  private static let longestVariable = 1024

  /// Reads a `kernel.json`; nil where it is no kernelspec.
  ///
  /// - Parameter script: the beginning of the program that it names.
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

  /// The path of its program; nil where it is looked for in `PATH`.
  var program: String? {
    let program = LaunchPlan.fill(arguments[0], with: ["resource_dir": resourceDirectory])
    return program.utf8.first == UInt8(ascii: "/") ? program : nil
  }

  /// True where the command is an interpreter of Python.
  var isPython: Bool { Self.isPython(arguments[0]) }

  /// True of `python`, `python3`, `python3.11`, also with a path before it.
  static func isPython(_ command: String) -> Bool {
    let name = command.utf8.split(separator: UInt8(ascii: "/")).last ?? "".utf8[...]
    return SocketChoice.isNameOfPython(Bytes(name))
  }

  /// True for the same kernelspec, compared as bytes: whoever installs one may put any text into it.
  static func == (left: LocalKernelSpec, right: LocalKernelSpec) -> Bool {
    left.spec == right.spec && left.interruptMode == right.interruptMode
      && left.keepsOutput == right.keepsOutput
      && left.resourceDirectory.hasSameBytes(as: right.resourceDirectory)
      && left.arguments.elementsEqual(right.arguments) { $0.hasSameBytes(as: $1) }
      && left.environment.count == right.environment.count
      && left.environment.allSatisfy { right.environment[$0]?.hasSameBytes(as: $1) == true }
  }
}
