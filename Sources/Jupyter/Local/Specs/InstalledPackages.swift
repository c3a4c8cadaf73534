import Loop

/// Where a Python installation has its packages, and whether they have changed.
struct InstalledPackages: Sendable {
  /// What is known of them without reading them: installing, upgrading and removing a package changes the directory.
  struct State: Sendable, Equatable {
    fileprivate let times: [Int64?]
  }

  private let directories: [String]

  /// Finds those of the installation at `prefix`.
  @LoopActor
  init(of prefix: String) async {
    let versions = await SmallFile.names(in: "\(prefix)/lib").filter { $0.hasPrefix("python") }
    directories = versions.sorted().map { "\(prefix)/lib/\($0)/site-packages" }
  }

  /// As they are now.
  var state: State { State(times: directories.map(SmallFile.modificationTime)) }
}
