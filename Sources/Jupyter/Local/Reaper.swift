import Loop

/// Kills what kernels have started when this process can no longer do so, and removes the run directory and control groups.
///
/// When this process ends, even by SIGKILL, the system ends the kernels with it, but not their children. A shell waits for
/// the end of a pipe whose other end only this process holds, and so notices every end of this process.
@LoopActor
final class Reaper {
  /// `$1` is the mark in the environment of the kernels' processes, unless they were given another environment. `$2` matches
  /// the tag in their limits, if the system allows tags. `$3` is the directory; with the others the paths of control groups begin.
  /// A process may fork during the search, hence several rounds; and a process that was killed leaves its group some time later.
  private static let script = """
    mark=$1 tag=$2 directory=$3
    shift 3
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
    for try in 1 2 3 4 5 6 7 8 9 10; do
      left=
      for prefix; do
        for group in "$prefix"*; do [ ! -d "$group" ] || rmdir -- "$group" 2>/dev/null || left=1; done
      done
      [ -n "$left" ] || break
      sleep 0.2
    done
    """

  private let process: ChildProcess

  /// Starts the shell.
  ///
  /// - Parameters:
  ///   - mark: the beginning of a `NAME=value` that no other processes have.
  ///   - tags: the tags of the kernels.
  ///   - groups: with these the paths of the kernels' control groups begin.
  init(mark: String, tags: ProcessTagSeries, directory: String, groups: [String]) throws {
    // A session of its own, so that Ctrl-C in the terminal does not end it too.
    process = try ChildProcess.spawn(
      executable: "/bin/sh",
      arguments: ["-c", Self.script, "reaper", mark, tags.pattern, directory] + groups,
      currentDirectory: "/", detached: true, standardInput: .pipe, standardOutput: .null,
      standardError: .null)
  }

  /// Lets the shell do its work now. The shell has ended on return.
  func finish() async {
    await process.standardInput?.close()
    _ = await process.exit()
  }
}
