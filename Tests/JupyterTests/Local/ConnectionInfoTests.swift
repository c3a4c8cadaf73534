import Loop
import Bytes
import Testing
import Wire

@testable import Jupyter

@Suite struct ConnectionInfoTests {
  @Test func `the connection file names Unix sockets`() throws {
    let connection = ConnectionInfo(.local(pathPrefix: "/run/kernel1"))
    #expect(connection.endpoint(.shell) == .path("/run/kernel1-1"))
    let json = try JSONSlice.parse(connection.json(kernelName: "python3"))
    #expect(json["transport"]?.text == "ipc")
    #expect(json["ip"]?.text == "/run/kernel1")
    #expect(json["shell_port"]?.integer == 1)
    #expect(json["hb_port"]?.integer == 5)
    #expect(json["signature_scheme"]?.text == "hmac-sha256")
    #expect(json["kernel_name"]?.text == "python3")
    #expect(json["key"]?.text?.count == 72)
  }

  @Test func `the connection file names ports`() throws {
    let connection = ConnectionInfo(.loopback(ports: [10, 20, 30, 40, 50]))
    #expect(connection.endpoint(.control) == .port(40))
    let json = try JSONSlice.parse(connection.json(kernelName: "deno"))
    #expect(json["transport"]?.text == "tcp")
    #expect(json["stdin_port"]?.integer == 30)
  }

  @Test func `every key is different`() {
    #expect(ConnectionInfo(.local(pathPrefix: "/a")).key != ConnectionInfo(.local(pathPrefix: "/a")).key)
  }
}
