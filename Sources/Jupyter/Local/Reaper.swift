import Loop

/// Kills what kernels have started when this process can no longer do so, and removes the run directory.
///
/// When this process ends, even by SIGKILL, the system ends the kernels with it, but not their children. A shell waits for
/// the end of a pipe whose other end only this process holds, and so notices every end of this process.
@LoopActor
final class Reaper {
  /// `$1` is the mark in the environment of the kernels' processes, unless they were given another environment. `$2` matches
  /// the tag in their limits, if the system allows tags. `$3` is the directory. A process may fork during the search, hence
  /// several rounds.
  private static let script = """
    mark=$1 tag=$2 directory=$3
    read -r _
    for round in 1 2 3 4 5; do
      found=$(grep -lsF -e "$mark" /proc/[0-9]*/environ; grep -lsE -e "$tag" /proc/[0-9]*/limits)
      [ -n "$found" ] || break
      for file in $found; do
        process=${file#/proc/}
        kill -KILL "${process%/*}" 2>/dev/null
      done
    done
    chmod -R u+rwX -- "$directory" 2>/dev/null
    rm -rf -- "$directory"
    """

  private let process: ChildProcess

  /// Starts the shell.
  ///
  /// - Parameters:
  ///   - mark: the beginning of a `NAME=value` that no other processes have.
  ///   - tags: the tags of the kernels.
  init(mark: String, tags: ProcessTagSeries, directory: String) throws {
    // A session of its own, so that Ctrl-C in the terminal does not end it too.
    process = try ChildProcess.spawn(
      executable: "/bin/sh", arguments: ["-c", Self.script, "reaper", mark, tags.pattern, directory],
      currentDirectory: "/", detached: true, standardInput: .pipe, standardOutput: .null,
      standardError: .null)
  }

  /// Lets the shell do its work now. The shell has ended on return.
  func finish() async {
    await process.standardInput?.close()
    _ = await process.exit()
  }
}
