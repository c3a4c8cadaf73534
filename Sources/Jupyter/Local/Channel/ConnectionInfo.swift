import Loop
import Memory
import Wire

/// Where a kernel of ours listens, and the key that both sides sign with: what its connection file tells it.
///
/// https://jupyter-client.readthedocs.io/en/stable/kernels.html#connection-files
struct ConnectionInfo: Sendable {
  /// How kernel and server meet.
  enum Transport: Sendable, Equatable {
    /// Unix sockets, whose paths all begin alike. Nobody else on the machine can reach them.
    case local(pathPrefix: String)
    /// Ports of the loopback interface in the order of `Port`, for kernels that know nothing else.
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

  /// What ZeroMQ connects to.
  func endpoint(_ port: Port) -> String {
    switch transport {
    case .local: "ipc://\(path(port) ?? "")"
    case .loopback: "tcp://127.0.0.1:\(number(port))"
    }
  }

  /// The path of the socket, where it has one.
  func path(_ port: Port) -> String? {
    guard case .local(let prefix) = transport else { return nil }
    return "\(prefix)-\(number(port))"
  }

  /// The connection file.
  func json(kernelName: String) -> Bytes {
    let (name, address) =
      switch transport {
      case .local(let prefix): ("ipc", prefix)
      case .loopback: ("tcp", "127.0.0.1")
      }
    let json = """
      {"transport":"\(name)","ip":\(JSONString.quote(address)),"shell_port":\(number(.shell)),\
      "iopub_port":\(number(.iopub)),"stdin_port":\(number(.stdin)),"control_port":\(number(.control)),\
      "hb_port":\(number(.heartbeat)),"key":"\(key)","signature_scheme":"hmac-sha256",\
      "kernel_name":\(JSONString.quote(kernelName))}
      """
    return Bytes(json)
  }

  private func number(_ port: Port) -> Int {
    switch transport {
    case .local: port.rawValue
    case .loopback(let ports): Int(ports[port.rawValue - 1])
    }
  }
}
