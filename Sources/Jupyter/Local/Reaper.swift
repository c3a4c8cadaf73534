import Loop

/// Ends what our kernels have started when we cannot do it ourselves any more, and removes our directory.
///
/// The system ends the kernels themselves with us, also when we are killed, but not their children. A shell waits for
/// the end of a pipe that we alone hold, and so notices every end of ours.
@LoopActor
final class Reaper {
  /// `$1` is what the environment of such processes holds, unless they were given another; `$2` what their limits show,
  /// where the system has let us tag kernels; `$3` the directory. A process may fork while it is looked for, hence
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
    rm -rf -- "$directory"
    """

  private let process: ChildProcess

  /// Starts the shell.
  ///
  /// - Parameters:
  ///   - mark: the beginning of a `NAME=value` that no other process has.
  ///   - tags: those of our kernels.
  init(mark: String, tags: ProcessTagSeries, directory: String) throws {
    // A session of its own, so that what ends us from the terminal does not end it.
    process = try ChildProcess.spawn(
      executable: "/bin/sh", arguments: ["-c", Self.script, "reaper", mark, tags.pattern, directory],
      currentDirectory: "/", detached: true, standardInput: .pipe, standardOutput: .null,
      standardError: .null)
  }

  /// Lets it do its work now; it is gone when this returns.
  func finish() async {
    await process.standardInput?.close()
    _ = await process.exit()
  }
}
