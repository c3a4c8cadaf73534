import HTTPServer
import Loop
import Bytes
import Wire
import Workspace

/// A response with a file, a part of it, or 304.
@LoopActor
struct FileDownload {
  private let file: File
  private let name: Bytes
  private let request: Request
  private let tag: EntityTag

  init(_ file: File, name: Bytes, _ request: Request) {
    self.file = file
    self.name = name
    self.request = request
    tag = EntityTag(of: file.status)
  }

  func send(by response: ResponseWriter) async throws {
    var fields = validators
    if isKnownToClient { return try await response.send(304, fields: fields) }
    let size = file.status.size
    let range = wantedRange
    if let contentRange = range.contentRange(size: size) { fields.append("Content-Range", contentRange) }
    switch range {
    case .unsatisfiable:
      throw HTTPErrorResponse(416, "The file has \(size) bytes", fields: ["Content-Range": "bytes */\(size)"])
    case .whole: try await send(200, 0..<size, fields, by: response)
    case .part(let part): try await send(206, part, fields, by: response)
    }
  }

  private func send(
    _ status: Int, _ range: Range<Int64>, _ fields: HTTPFields, by response: ResponseWriter
  ) async throws {
    var fields = fields
    fields.append("Content-Type", MediaTypes.contentType(of: name))
    let blocks = file.blocks(range)
    guard response.sendsBody, let first = try await blocks.next() else {
      try await response.start(status, fields: fields, length: Int64(range.count))
      return try await response.finish()
    }
    // A small file is sent together with the head.
    if first.count == range.count { return try await response.send(status, fields: fields, body: first) }
    try await response.start(status, fields: fields, length: Int64(range.count))
    try await response.write([first])
    // The next block is read while the client reads this one.
    while let block = try await blocks.next() { try await response.write([block]) }
    try await response.finish()
  }

  /// Lets the client validate its copy later. `no-cache` requires that, as the file may change at any time.
  private var validators: HTTPFields {
    [
      "ETag": tag.fieldValue, "Last-Modified": HTTPDate.format(file.status.modifiedSeconds),
      "Accept-Ranges": "bytes", "Cache-Control": "no-cache",
    ]
  }

  // MARK: Conditions

  /// RFC 9110, 13.2.2: the date counts only without a tag.
  private var isKnownToClient: Bool {
    if let tags = request.fields.list("If-None-Match") { return EntityTag.noneMatch(tags, isMetBy: tag) }
    guard let date = request.fields.first("If-Modified-Since").flatMap(seconds) else { return false }
    return file.status.modifiedSeconds <= date
  }

  /// Ranges apply to `GET` only (RFC 9110, 14.2), and only if the client's part is of the same file (13.1.5).
  private var wantedRange: ByteRange {
    guard request.method == "GET", hasRightState else { return .whole }
    return ByteRange(request.fields.first("Range"), size: file.status.size)
  }

  private var hasRightState: Bool {
    guard let condition = request.fields.first("If-Range") else { return true }
    if let tags = EntityTag.list(condition), let wanted = tags.first { return wanted.stronglyMatches(tag) }
    return seconds(condition) == file.status.modifiedSeconds
  }

  private func seconds(_ date: Bytes) -> Int64? {
    HTTPDate.parse(date, now: WallClock.now().seconds)
  }
}
