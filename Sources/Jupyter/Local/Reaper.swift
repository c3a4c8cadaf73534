import Loop

/// Ends what our kernels have started when we cannot do it ourselves any more, and removes our directory.
///
/// The system ends the kernels themselves with us, also when we are killed, but not their children. A shell waits for
/// the end of a pipe that we alone hold, and so notices every end of ours.
@LoopActor
final class Reaper {
  /// `$1` is what the environment of such processes holds, unless they were given another; `$2` the directory, in which
  /// there is a file with the session of each kernel that has not been cleared away. Of what stands in `stat` behind the
  /// name, which ends with the last parenthesis, the first word is the state and the fourth the session. A process may
  /// fork while it is looked for, hence several rounds.
  private static let script = """
    mark=$1 directory=$2
    read -r _
    sessions=" $(cat "$directory"/*-session 2>/dev/null | tr '\\n' ' ')"
    for round in 1 2 3 4 5; do
      found=$(grep -lsF -e "$mark" /proc/[0-9]*/environ)
      for file in /proc/[0-9]*/stat; do
        { read -r line <"$file"; } 2>/dev/null || continue
        set -- ${line##*) }
        [ "$1" != Z ] || continue
        case $sessions in *" $4 "*) found="$found $file" ;; esac
      done
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
  /// - Parameter mark: the beginning of a `NAME=value` that no other process has.
  init(mark: String, directory: String) throws {
    // A session of its own, so that what ends us from the terminal does not end it.
    process = try ChildProcess.spawn(
      executable: "/bin/sh", arguments: ["-c", Self.script, "reaper", mark, directory], currentDirectory: "/",
      detached: true, standardInput: .pipe, standardOutput: .null, standardError: .null)
  }

  /// Lets it do its work now; it is gone when this returns.
  func finish() async {
    await process.standardInput?.close()
    _ = await process.exit()
  }
}
