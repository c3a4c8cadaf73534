import Loop
import Bytes
import Wire

/// What a connection file tells a kernel: where to listen, and the key that both sides sign messages with.
///
/// https://jupyter-client.readthedocs.io/en/stable/kernels.html#connection-files
struct ConnectionInfo: Sendable {
  /// The transport between kernel and server.
  enum Transport: Sendable, Equatable {
    /// Unix sockets with a common path prefix. Other users of the machine cannot reach them.
    case local(pathPrefix: String)
    /// Ports of the loopback interface in the order of `Port`, for kernels that do not support Unix sockets.
    case loopback(ports: [UInt16])
  }

  /// The sockets of a kernel.
  enum Port: Int, CaseIterable, Sendable {
    case shell = 1
    case iopub, stdin, control, heartbeat
  }

  let transport: Transport
  let key: String

  init(_ transport: Transport) {
    self.transport = transport
    key = RandomIdentifier.make() + RandomIdentifier.make()
  }

  /// The address to connect to. The path of a Unix socket is the prefix, a dash, and the number that stands for the port.
  func endpoint(_ port: Port) -> ZeroMQConnection.Endpoint {
    switch transport {
    case .local(let prefix): .path("\(prefix)-\(port.rawValue)")
    case .loopback(let ports): .port(ports[port.rawValue - 1])
    }
  }

  /// The connection file, as JSON.
  func json(kernelName: String) -> Bytes {
    let (name, address) =
      switch transport {
      case .local(let prefix): ("ipc", prefix)
      case .loopback: ("tcp", "127.0.0.1")
      }
    var json = JSONWriter()
    json.object { json in
      json.key("transport")
      json.value(name)
      json.key("ip")
      json.value(address)
      let ports: [(StaticString, Port)] = [
        ("shell_port", .shell), ("iopub_port", .iopub), ("stdin_port", .stdin), ("control_port", .control),
        ("hb_port", .heartbeat),
      ]
      for (name, port) in ports {
        json.key(name)
        json.value(number(port))
      }
      json.key("key")
      json.value(key)
      json.key("signature_scheme")
      json.value(literal: "hmac-sha256")
      json.key("kernel_name")
      json.value(kernelName)
    }
    return json.takeAll()
  }

  private func number(_ port: Port) -> Int {
    switch endpoint(port) {
    case .path: port.rawValue
    case .port(let number): Int(number)
    }
  }
}
