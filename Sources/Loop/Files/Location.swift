/// Where a path leads: a name in a directory that is open, so that nothing can be put in the way any more.
struct Location {
  /// The directory that holds the name, or would hold it.
  let parent: Descriptor
  let name: PathName
  /// What stands under the name; nil where there is nothing yet.
  let status: FileStatus?
  /// True of the root itself, which has no name.
  var isRoot = false
  /// Directory to be made in `parent` before `name` can be (`name` is then of no meaning).
  var missingDirectory: PathName?
}
