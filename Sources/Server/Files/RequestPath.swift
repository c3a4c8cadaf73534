import HTTPServer
import Loop
import Bytes
import Workspace

/// A path as a client wrote it. Converts errors for it into responses.
struct RequestPath: Sendable {
  enum Use: Sendable { case listing, reading, writing, deleting }

  /// UTF-8, of any length.
  let text: Bytes
  let use: Use

  init(_ text: Bytes, for use: Use) {
    self.text = text
    self.use = use
  }

  func relative() throws -> RelativePath { try RelativePath(text) }

  /// Runs `body` and converts its errors for the client.
  @LoopActor
  func explaining<R>(_ body: @LoopActor () async throws -> R) async throws -> R {
    do {
      return try await body()
    } catch let error as UVError {
      guard let (status, message) = answer(to: error) else { throw error }
      throw HTTPErrorResponse(status, message)
    }
  }

  /// Nil for errors that are neither the client's nor the disk's.
  private func answer(to error: UVError) -> (Int, String)? {
    switch error {
    case .noEntry: (404, "There is nothing at '\(text)'")
    case .crossesDevice: (400, "The path leads out of the workspace. Paths are relative to the workspace")
    case .isDirectory: (400, "'\(text)' is a directory. GET /files?path=… lists it")
    case .notDirectory: (400, notDirectory)
    case .notAFile: (400, "'\(text)' is neither a file nor a directory")
    case .busy: (400, busy)
    case .tooManyLinks: (400, "'\(text)' goes through too many links")
    case .nameTooLong: (400, "The path is longer or deeper than the file system allows")
    case .invalidArgument, .illegalName: (400, "'\(visible)' is a name that the file system does not allow")
    case .accessDenied, .notPermitted, .readOnly: (403, "This server has no permission for '\(text)'")
    case .notEmpty: (409, "'\(text)' is being written to while it is deleted; try again")
    case .fileTooLarge: (413, "The file is larger than the file system allows")
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem: (503, "Too many files are open; try again")
    case .noSpace, .quotaExceeded: (507, "There is no space left on the disk")
    default: nil
    }
  }

  private var notDirectory: String {
    use == .listing
      ? "'\(text)' is not a directory. GET /files/… reads a file"
      : "'\(text)' leads through something that is not a directory"
  }

  private var busy: String {
    use == .deleting
      ? "The workspace itself, or what something is mounted on, cannot be deleted"
      : "'\(text)' cannot be replaced now"
  }

  /// Without NUL, for the error message about NUL.
  private var visible: Bytes { Bytes.join(text.split(separator: 0), separator: "␀") }
}
