import TestHTTPServer
import HTTPServer
import FoundationEssentials
import Glibc
import Loop
import Bytes
import TestLoop
import Testing
import Wire
import Workspace

@testable import Server

/// A server of the file routes with its own workspace, next to a secret.
@LoopActor
struct FilesTestServer {
  let server: HTTPTestServer
  nonisolated let root: String

  /// A request on a new connection.
  func ask(_ method: String, _ path: String, _ fields: String..., body: String? = nil) async throws
    -> TestAnswer
  {
    try await ask(method, path, fields, body: body)
  }

  func ask(_ method: String, _ path: String, _ fields: [String], body: String? = nil) async throws
    -> TestAnswer
  {
    let client = try await server.connect()
    let length = body.map { ["Content-Length: \($0.utf8.count)"] } ?? []
    let lines = ["\(method) \(path) HTTP/1.1", "Host: localhost"] + length + fields
    try await client.send(lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? ""))
    let answer = try await client.answer(to: method)
    await client.close()
    return answer
  }

  nonisolated func write(_ text: String, to name: String) {
    guard let file = fopen("\(root)/\(name)", "w") else { return }
    fputs(text, file)
    fclose(file)
  }

  nonisolated func read(_ name: String) -> String? {
    guard let file = fopen("\(root)/\(name)", "r") else { return nil }
    defer { fclose(file) }
    var text: [UInt8] = []
    while case let byte = getc(file), byte != EOF { text.append(UInt8(truncatingIfNeeded: byte)) }
    return String(decoding: text, as: UTF8.self)
  }

  /// All names in the workspace, including hidden ones.
  nonisolated func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: root).sorted()
  }
}

/// Runs `body` with a server of the file routes.
func withFiles(
  options: HTTPServerOptions = HTTPServerOptions(),
  _ body: @escaping @LoopActor (FilesTestServer) async throws -> Void
) async throws {
  var template = Array("/tmp/server-files-XXXXXX".utf8CString)
  let path = String(cString: try #require(mkdtemp(&template)))
  defer { _ = system("rm -rf \(path)") }
  mkdir(path + "/root", 0o755)
  symlink("/etc/passwd", path + "/secret")
  TestLoop.start()
  let router = try await fileRouter(of: path + "/root")
  try await withHTTPServer(options: options, handler: { try await router.handle($0, $1) }) { server in
    try await body(FilesTestServer(server: server, root: path + "/root"))
  }
}

@LoopActor
private func fileRouter(of path: String) async throws -> Router {
  var router = Router()
  FileRoutes(try await Directory.open(path)).add(to: &router)
  return router
}
