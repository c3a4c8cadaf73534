import TestHTTPServer
import Loop
import Bytes
import Testing
import Wire

@testable import HTTPServer

extension HTTPServerTests {
  @Suite struct Routes {
    private var router: Router {
      var router = Router()
      func add(_ method: String, _ pattern: String) {
        router.on(method, pattern) { request, response in
          let parameters = request.parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
          try await response.send(200, body: Bytes(([pattern] + parameters).joined(separator: " ")))
        }
      }
      add("GET", "/health")
      add("GET", "/files")
      add("GET", "/files/{path...}")
      add("PUT", "/files/{path...}")
      add("POST", "/contexts")
      add("DELETE", "/contexts/{id}")
      add("POST", "/contexts/{id}/restart")
      return router
    }

    private func ask(_ method: String, _ target: String) async throws -> String {
      let router = router
      let answers = Answers()
      try await withHTTPServer(handler: { try await router.handle($0, $1) }) { server async throws in
        answers.text = try await server.exchange("\(method) \(target) HTTP/1.0\r\n\r\n")
      }
      return await answers.text
    }

    @LoopActor private final class Answers {
      var text = ""
      nonisolated init() {}
    }

    @Test(arguments: [
      ("GET", "/health", "/health"), ("GET", "/health?x", "/health"), ("GET", "/he%61lth", "/health"),
      ("GET", "/files?path=.", "/files"), ("GET", "/files/a/b%20c", "/files/{path...} path=a/b c"),
      ("GET", "/files/", "/files/{path...} path="), ("GET", "/files//etc", "/files/{path...} path=/etc"),
      ("PUT", "/files/..%2Fx%252F", "/files/{path...} path=../x%2F"),
      ("DELETE", "/contexts/a%2Fb", "/contexts/{id} id=a/b"),
      ("POST", "/contexts/1/restart", "/contexts/{id}/restart id=1"),
    ])
    func aPathFindsItsHandler(_ method: String, _ target: String, _ body: String) async throws {
      let answer = try await ask(method, target)
      #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.hasSuffix("\r\n\r\n\(body)"), "\(answer)")
    }

    @Test(arguments: [
      "/", "/Health", "/health/", "/contexts/", "/contexts/1/", "/contexts/1/stop", "/contexts/1/restart/",
      "/file", "//health",
    ])
    func otherPathsAreNotThere(_ target: String) async throws {
      #expect(try await ask("POST", target).hasPrefix("HTTP/1.1 404 "))
    }

    @Test(arguments: [
      ("POST", "/health", "GET, HEAD"), ("DELETE", "/files/x", "GET, HEAD, PUT"),
      ("get", "/health", "GET, HEAD"), ("HEAD", "/contexts/1", "DELETE"),
    ])
    func otherMethodsAreNotAllowed(_ method: String, _ target: String, _ allowed: String) async throws {
      let answer = try await ask(method, target)
      #expect(answer.hasPrefix("HTTP/1.1 405 ") && answer.contains("\r\nAllow: \(allowed)\r\n"))
    }

    @Test func aHandlerOfGetAnswersHead() async throws {
      let answer = try await ask("HEAD", "/health")
      #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.hasSuffix("\r\n\r\n"))
    }

    @Test(arguments: ["/files/%", "/files/%zz", "/files/%00", "/contexts/%ff", "/%"])
    func pathsThatAreNotWellEncodedAreRefused(_ target: String) async throws {
      #expect(try await ask("GET", target).hasPrefix("HTTP/1.1 400 "))
    }
  }
}
