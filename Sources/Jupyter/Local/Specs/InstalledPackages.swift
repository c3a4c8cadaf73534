import Loop
import Bytes

/// Where a Python installation has its packages.
struct InstalledPackages: Sendable {
  private let directories: [String]

  /// Finds those of the installation at `prefix`.
  @LoopActor
  init(of prefix: String) async {
    let versions = await SmallFile.names(in: "\(prefix)/lib").filter { $0.utf8.starts(with: "python".utf8) }
    directories = versions.sortedByBytes().map { "\(prefix)/lib/\($0)/site-packages" }
  }

  /// As they are now.
  var snapshot: Snapshot { Snapshot(packages: self, times: times) }

  private var times: [Int64?] { directories.map(SmallFile.modificationTime) }

  /// The packages as they were at some time, as far as that is known without reading them: installing, upgrading and
  /// removing one changes the directory.
  struct Snapshot: Sendable {
    fileprivate let packages: InstalledPackages
    fileprivate let times: [Int64?]

    /// True as long as they have not changed.
    var isCurrent: Bool { packages.times == times }
  }
}
