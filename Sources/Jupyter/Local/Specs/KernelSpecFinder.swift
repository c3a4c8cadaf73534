import Loop
import Bytes

/// Finds the kernelspecs of our package, and after them those of this machine, where Jupyter looks for them.
///
/// https://docs.jupyter.org/en/stable/use/jupyter-directories.html#data-files
struct KernelSpecFinder: Sendable {
  /// The installation of Python whose kernels come first, such as a virtual environment.
  let prefix: String
  /// The environment variables. `JUPYTER_PATH`, `JUPYTER_DATA_DIR`, `XDG_DATA_HOME` and `HOME` are used.
  let environment: [String: String]

  /// In bytes. Scripts that wrap a kernel's program have a few lines.
  private static let longestScript = 4096

  /// All kernelspecs. Of those with the same name, the first one counts.
  @LoopActor
  func find() async -> [LocalKernelSpec] {
    var found: [LocalKernelSpec] = []
    for directory in await packageDirectories() + dataDirectories.map({ "\($0)/kernels" }) {
      for name in await SmallFile.names(in: directory).filter(Self.isName).sorted() {
        let isKnown = found.contains { $0.spec.name == name.lowercased() }
        if !isKnown, let spec = await Self.read(name, in: directory) { found.append(spec) }
      }
    }
    return found
  }

  /// Jupyter's data directories, in order of precedence.
  var dataDirectories: [String] {
    let listed = (environment["JUPYTER_PATH"] ?? "").split(separator: ":").map(String.init)
    let all =
      ["\(prefix)/share/jupyter"] + listed + userDirectories + [
        "/usr/local/share/jupyter", "/usr/share/jupyter",
      ]
    var known: Set<String> = []
    return all.filter { known.insert($0).inserted }
  }

  private var userDirectories: [String] {
    if let directory = environment["JUPYTER_DATA_DIR"], !directory.isEmpty { return [directory] }
    if let directory = environment["XDG_DATA_HOME"], !directory.isEmpty { return ["\(directory)/jupyter"] }
    return environment["HOME"].map { ["\($0)/.local/share/jupyter"] } ?? []
  }

  /// The directories of our package's kernelspecs, wherever this Python may have the package.
  @LoopActor
  private func packageDirectories() async -> [String] {
    var result: [String] = []
    let libraries = "\(prefix)/lib"
    for name in await SmallFile.names(in: libraries).sortedByBytes()
    where name.utf8.starts(with: "python3".utf8) {
      result += ["site-packages", "dist-packages"].map {
        "\(libraries)/\(name)/\($0)/code_interpreter_kernel/kernels"
      }
    }
    return result
  }

  @LoopActor
  private static func read(_ name: String, in directory: String) async -> LocalKernelSpec? {
    let resources = "\(directory)/\(name)"
    guard let json = try? await SmallFile.read("\(resources)/kernel.json") else { return nil }
    let spec = LocalKernelSpec(name: name.lowercased(), json: json, resourceDirectory: resources)
    // The content matters only if the program may be a script.
    guard let program = spec?.program, spec?.sockets == .ports,
      let script = await SmallFile.beginning(of: program, upTo: longestScript), script.hasPrefix("#!")
    else { return spec }
    return LocalKernelSpec(
      name: name.lowercased(), json: json, resourceDirectory: resources, script: script)
  }

  /// True for names that Jupyter allows.
  private static func isName(_ name: String) -> Bool {
    name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
      case UInt8(ascii: "0")...UInt8(ascii: "9"): true
      case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
      default: false
      }
    }
  }
}
