import Workspace
import Bytes
import Wire

/// The contents of a directory as JSON.
enum FileListing {
  /// The approximate size of an entry, in bytes.
  static let usualLength = 100

  static func json(_ path: Bytes, _ entries: [DirectoryEntry]) -> Bytes {
    var json = JSONWriter()
    json.object { json in
      json.key("path")
      json.value(path)
      json.key("entries")
      json.array { json in
        for entry in entries { json.object { append(entry, to: &$0) } }
      }
    }
    return json.takeAll()
  }

  private static func append(_ entry: DirectoryEntry, to json: inout JSONWriter) {
    json.key("name")
    json.value(entry.name)
    json.key("type")
    json.value(literal: entry.isDirectory ? "dir" : "file")
    json.key("size")
    if entry.isDirectory { json.null() } else { json.value(entry.size) }
    json.key("modified")
    json.value(entry.modified)
  }
}
