import Loop
import Bytes
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

  /// Where to connect to. For Unix sockets a kernel puts what stands for a port behind the prefix, with a dash between.
  func endpoint(_ port: Port) -> ZeroMQConnection.Endpoint {
    switch transport {
    case .local(let prefix): .path("\(prefix)-\(port.rawValue)")
    case .loopback(let ports): .port(ports[port.rawValue - 1])
    }
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
    switch endpoint(port) {
    case .path: port.rawValue
    case .port(let number): Int(number)
    }
  }
}
