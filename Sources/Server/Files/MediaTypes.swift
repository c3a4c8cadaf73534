import Bytes

/// Media types: what a file is by the ending of its name, and what a body is by its `Content-Type`.
///
/// A fixed table of common types, not the machine's, so that every machine answers alike.
enum MediaTypes {
  /// The type of files with an unknown extension.
  static let unknown = "application/octet-stream"

  /// The `Content-Type` for a file name. Text is declared as UTF-8; otherwise browsers assume Latin-1.
  static func contentType(of name: Bytes) -> String {
    guard let type = type(of: name) else { return unknown }
    return type.hasPrefix("text/") ? type + "; charset=utf-8" : type
  }

  /// True for `application/json` and types that are JSON by their suffix, with or without parameters (RFC 9110, 8.3.1).
  static func isJSON(_ field: Bytes?) -> Bool {
    // RFC 6838, 4.2: the names before and behind the slash have at most 127 characters each.
    guard
      let type = field?.prefix(upTo: UInt8(ascii: ";")).trimming({ $0 == 0x20 || $0 == 0x09 })
        .ascii(atMost: 255)?.lowercased()
    else { return false }
    return type == "application/json" || (type.hasPrefix("application/") && type.hasSuffix("+json"))
  }

  /// Extensions are case-insensitive. A name like `.profile` has none.
  private static func type(of name: Bytes) -> String? {
    guard let dot = name.lastIndex(of: UInt8(ascii: ".")), dot > 0, name[dot - 1] != UInt8(ascii: "/"),
      let ending = name[(dot + 1)...].ascii(atMost: longestEnding)?.lowercased()
    else { return nil }
    return byEnding[ending]
  }

  /// The longest extension in the table, in bytes: `geojson`.
  private static let longestEnding = 16

  private static let byEnding = [
    // Text and code
    "txt": "text/plain", "text": "text/plain", "log": "text/plain", "ini": "text/plain", "cfg": "text/plain",
    "conf": "text/plain", "md": "text/markdown", "markdown": "text/markdown", "rst": "text/x-rst",
    "csv": "text/csv", "tsv": "text/tab-separated-values", "html": "text/html", "htm": "text/html",
    "css": "text/css", "js": "text/javascript", "mjs": "text/javascript", "ts": "text/x-typescript",
    "py": "text/x-python", "r": "text/x-r", "java": "text/x-java", "c": "text/x-c", "h": "text/x-c",
    "cpp": "text/x-c++", "hpp": "text/x-c++", "rs": "text/x-rust", "go": "text/x-go", "swift": "text/x-swift",
    "sql": "text/x-sql", "tex": "text/x-tex", "diff": "text/x-diff", "patch": "text/x-diff",
    "vtt": "text/vtt",
    "ics": "text/calendar", "vcf": "text/vcard", "srt": "application/x-subrip", "sh": "application/x-sh",
    // Data
    "json": "application/json", "map": "application/json", "geojson": "application/geo+json",
    "jsonl": "application/jsonl", "ndjson": "application/x-ndjson", "ipynb": "application/x-ipynb+json",
    "xml": "application/xml", "xhtml": "application/xhtml+xml", "yaml": "application/yaml",
    "yml": "application/yaml", "toml": "application/toml", "wasm": "application/wasm",
    "parquet": "application/vnd.apache.parquet", "arrow": "application/vnd.apache.arrow.file",
    "sqlite": "application/vnd.sqlite3", "db": "application/vnd.sqlite3", "h5": "application/x-hdf5",
    "hdf5": "application/x-hdf5",
    // Documents
    "pdf": "application/pdf", "ps": "application/postscript", "eps": "application/postscript",
    "rtf": "application/rtf", "epub": "application/epub+zip", "doc": "application/msword",
    "xls": "application/vnd.ms-excel", "ppt": "application/vnd.ms-powerpoint",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text", "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
    // Pictures
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
    "avif": "image/avif", "svg": "image/svg+xml", "bmp": "image/bmp", "ico": "image/x-icon",
    "tif": "image/tiff", "tiff": "image/tiff", "heic": "image/heic", "heif": "image/heif",
    // Sound and film
    "mp3": "audio/mpeg", "wav": "audio/wav", "ogg": "audio/ogg", "oga": "audio/ogg", "opus": "audio/ogg",
    "flac": "audio/flac", "m4a": "audio/mp4", "aac": "audio/aac", "mid": "audio/midi", "midi": "audio/midi",
    "mp4": "video/mp4", "m4v": "video/mp4", "webm": "video/webm", "ogv": "video/ogg",
    "mov": "video/quicktime",
    "avi": "video/x-msvideo", "mkv": "video/x-matroska", "mpeg": "video/mpeg", "mpg": "video/mpeg",
    // Archives
    "zip": "application/zip", "gz": "application/gzip", "tgz": "application/gzip", "tar": "application/x-tar",
    "bz2": "application/x-bzip2", "xz": "application/x-xz", "zst": "application/zstd",
    "7z": "application/x-7z-compressed", "rar": "application/vnd.rar", "jar": "application/java-archive",
    "whl": "application/zip",
    // Type
    "woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf", "otf": "font/otf",
  ]
}
