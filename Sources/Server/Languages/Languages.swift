import Jupyter
import Bytes

/// Finds the kernel for a language by any of its names.
struct Languages: Sendable {
  /// Other names of languages. TypeScript kernels run JavaScript too, so they stand in if there is no JavaScript kernel.
  private static let aliases = [
    "py": "python", "python3": "python", "js": "javascript", "ts": "typescript", "sh": "bash",
  ]
  private static let standIns = ["javascript": "typescript"]
  /// The kernel of a language that several kernels declare.
  private static let preferred = ["python": "python3"]

  /// The installed kernelspecs.
  let specs: [KernelSpec]

  /// The canonical name of a language: that of `" Py "` is `"python"`. Nil for a name that is too long or not ASCII.
  static func canonicalName(_ name: Bytes) -> String? {
    let trimmed = name.trimming { $0 <= 0x20 }
    guard let lowercased = trimmed.ascii(atMost: KernelSpec.longestName)?.lowercased() else { return nil }
    return aliases[lowercased] ?? lowercased
  }

  /// The kernel for the language, or with the name, `canonicalName`; nil if there is none.
  func spec(for canonicalName: String) -> KernelSpec? {
    let speaking = specs.filter { $0.language == canonicalName }
    let preferred = Self.preferred[canonicalName]
    return speaking.first { $0.name == preferred } ?? specs.first { $0.name.lowercased() == canonicalName }
      ?? speaking.first ?? Self.standIns[canonicalName].flatMap { spec(for: $0) }
  }

  /// The languages for an error text: `bash, javascript, python`, or `none`.
  var list: String {
    var names = Set(specs.map(\.language))
    for (language, standIn) in Self.standIns where names.contains(standIn) { names.insert(language) }
    return names.isEmpty ? "none" : names.sorted().joined(separator: ", ")
  }
}
