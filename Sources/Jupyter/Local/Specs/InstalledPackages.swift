import Loop
import Bytes

/// The directories of a Python installation's packages.
struct InstalledPackages: Sendable {
  private let directories: [String]

  /// Finds the directories of the installation at `prefix`.
  @LoopActor
  init(of prefix: String) async {
    let versions = await SmallFile.names(in: "\(prefix)/lib").filter { $0.utf8.starts(with: "python".utf8) }
    directories = versions.sortedByBytes().map { "\(prefix)/lib/\($0)/site-packages" }
  }

  /// The packages as they are now.
  var snapshot: Snapshot { Snapshot(packages: self, times: times) }

  private var times: [Int64?] { directories.map(SmallFile.modificationTime) }

  /// The packages as they were at some time, by the modification times of their directories: installing, upgrading and
  /// removing a package changes these.
  struct Snapshot: Sendable {
    fileprivate let packages: InstalledPackages
    fileprivate let times: [Int64?]

    /// True if they have not changed since.
    var isCurrent: Bool { packages.times == times }
  }
}
