import Workspace
import Bytes
import Wire

/// The contents of a directory as JSON.
enum FileListing {
  /// How many bytes an entry takes, more or less.
  static let usualLength = 100

  static func json(_ path: Bytes, _ entries: [DirectoryEntry]) -> Bytes {
    var buffer = ByteBuffer()
    buffer.append("{\"path\":")
    JSONString.append(quoting: path, to: &buffer)
    buffer.append(",\"entries\":[")
    for (index, entry) in entries.enumerated() {
      if index > 0 { buffer.append(",") }
      append(entry, to: &buffer)
    }
    buffer.append("]}")
    return buffer.takeAll()
  }

  private static func append(_ entry: DirectoryEntry, to buffer: inout ByteBuffer) {
    buffer.append("{\"name\":")
    JSONString.append(quoting: entry.name, to: &buffer)
    buffer.append(
      entry.isDirectory ? ",\"type\":\"dir\",\"size\":null" : ",\"type\":\"file\",\"size\":\(entry.size)")
    buffer.append(",\"modified\":\(entry.modified)}")
  }
}
