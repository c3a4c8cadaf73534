import ArgumentParser
import Jupyter
import Loop

/// `code-interpreter health`: for the health checks of container engines, which run a program every few seconds.
struct HealthCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health",
    abstract: "Tells by its exit status whether a server takes code: 0 if it does, else 1, and why.",
    discussion: """
      Without options it asks the server on this machine that was started with the same variables: CODE_INTERPRETER_HOST, \
      CODE_INTERPRETER_PORT and CODE_INTERPRETER_TLS_CERTIFICATE stand for the options. No token is needed.
      """)

  /// Container engines give a check a time of their own, 5 s in the Dockerfile. The line with the reason comes before that.
  private static let limit: Duration = .seconds(4)

  @Option(help: "The address of the server. The addresses that listen everywhere stand for this machine.")
  var host = "127.0.0.1"

  @Option(help: "The port of the server.")
  var port: UInt16 = 49999

  @Option(
    help: ArgumentHelp(
      "The certificate of the server, which speaks https then. Any is accepted: the question is no secret.",
      valueName: "file"))
  var tlsCertificate: String?

  @Option(help: "The URL of the server, in place of its address and port: https://code.example.com/base.")
  var url: String?

  func run() throws {
    let target = url ?? Self.url(host: host, port: port, isSecure: tlsCertificate != nil)
    let location: ServerLocation
    do {
      location = try ServerLocation(url: target, token: nil, trust: url == nil ? .nobody : .system)
    } catch {
      throw ValidationError("\(url == nil ? "--host and --port" : "--url"): \(error).")
    }
    let status = EventLoop.shared.run {
      guard let failure = await Self.failure(of: location) else {
        StandardStream.output.write("\(target) is ready\n")
        return 0
      }
      StandardStream.error.write("\(target) is not ready: \(failure)\n")
      return 1
    }
    if status != 0 { throw ExitCode(status) }
  }

  /// Why the server takes no code; nil if it does.
  @LoopActor
  private static func failure(of location: ServerLocation) async -> String? {
    do {
      let reply = try await HTTPClient(location).send("GET", "/health", limit: limit)
      return reply.status == 200 ? nil : "/health answers \(reply.status)"
    } catch is DeadlineExceeded {
      return "no answer within \(limit)"
    } catch {
      return "\(error)"
    }
  }

  /// A server that listens on all addresses is asked on the loopback one.
  static func url(host: String, port: UInt16, isSecure: Bool = false) -> String {
    let reached =
      switch host {
      case "", "0.0.0.0": "127.0.0.1"
      case "::": "[::1]"
      default: host.contains(":") ? "[\(host)]" : host
      }
    return "\(isSecure ? "https" : "http")://\(reached):\(port)"
  }
}
