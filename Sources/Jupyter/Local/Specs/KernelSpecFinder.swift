import Loop
import Bytes

/// Finds the kernelspecs of this machine where Jupyter finds them, and before them those of our own package.
///
/// https://docs.jupyter.org/en/stable/use/jupyter-directories.html#data-files
struct KernelSpecFinder: Sendable {
  /// The installation of Python whose kernels come first, such as a virtual environment.
  let prefix: String
  /// Our variables: `JUPYTER_PATH`, `JUPYTER_DATA_DIR`, `XDG_DATA_HOME`, `HOME`.
  let environment: [String: String]

  /// Wrappers around a kernel's program are some lines long.
  private static let longestScript = 4096

  /// All kernelspecs; of those with one name the first that is found.
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

  /// Where Jupyter's data lies, what counts most first.
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

  /// The kernels inside of our package, wherever this Python has it.
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
    // Only of a program that may be a script it matters what is in it.
    guard let program = spec?.program, spec?.sockets == .ports,
      let script = await SmallFile.beginning(of: program, upTo: longestScript), script.hasPrefix("#!")
    else { return spec }
    return LocalKernelSpec(
      name: name.lowercased(), json: json, resourceDirectory: resources, script: script)
  }

  /// Names as Jupyter allows them.
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
