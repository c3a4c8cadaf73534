import Bytes
import Testing
import Wire

@testable import Jupyter

@Suite struct WebSocketChannelTests {
  @Test(arguments: [
    (#"{"execution_state": "idle"}"#, nil), (#"{"execution_state": "dead"}"#, "its process ended"),
    (#"{"execution_state": "dead", "exit_code": 3}"#, "exited with status 3"),
    (#"{"execution_state": "restarting", "exit_code": -9}"#, "killed by SIGKILL"),
  ])
  func `the server's status message tells how a kernel ended`(content: String, end: String?) throws {
    #expect(try WebSocketChannel.end(in: JSONSlice.parse(Bytes(content)), hasStarted: true) == end)
  }

  @Test func `a second starting status means a restart`() throws {
    let content = try JSONSlice.parse(#"{"execution_state": "starting"}"#)
    #expect(WebSocketChannel.end(in: content, hasStarted: false) == nil)
    #expect(WebSocketChannel.end(in: content, hasStarted: true) != nil)
  }

  @Test(arguments: [Int64.min, .max, -1_000_000])
  func `a status message from a cell may hold any exit code`(code: Int64) throws {
    let content = Bytes(#"{"execution_state": "dead", "exit_code": \#(code)}"#)
    #expect(try WebSocketChannel.end(in: JSONSlice.parse(content), hasStarted: true) != nil)
  }
}
