import HTTPServer
import ArgumentParser
import Bytes
import Logging
import Loop
import Server
import Wire

/// How clients are treated.
struct ConnectionOptions: ParsableArguments {
  private static let longestTimeout = 86_400.0

  @Option(
    help: """
      How many seconds a client may take nothing of what waits to be sent to it, before it counts as gone: what it runs \
      is interrupted then.
      """)
  var writeTimeout = 60.0

  @Option(
    help: """
      How many connections there may be at once; at most half of the files that the system lets this process open. \
      Further ones are answered 503 and closed, but for /health.
      """)
  var maxConnections = 4096

  @Option(
    help: ArgumentHelp(
      """
      A name that requests may be sent to, or *.example.com for all names below one; may be repeated. Addresses, names \
      without a dot, and names below .localhost, .local, .internal and .svc always work; others are refused, since any \
      web page could have its own name lead here.
      """, valueName: "name"))
  var allowedHost: [String] = []

  func validate() throws {
    guard writeTimeout > 0, writeTimeout <= Self.longestTimeout else {
      throw ValidationError(
        "--write-timeout should be above 0 and at most \(Int(Self.longestTimeout)) seconds.")
    }
    guard maxConnections > 0 else { throw ValidationError("--max-connections should be at least 1.") }
    for name in allowedHost where AllowedHost(name) == nil {
      throw ValidationError(
        "--allowed-host should be a name without a port, or *. and a name, not '\(name)'.")
    }
  }

  /// When the system breaks off a connection whose client does not acknowledge what it is sent, in case that we do not. Well
  /// above the write time-out: the system counts from when the client's window closed, and so would break off one that
  /// reads 128 kB/s after twice the time-out, where that is short.
  var peerTimeout: Duration { .seconds(max(2 * writeTimeout, 30)) }

  /// - Parameters:
  ///   - openFiles: how many files this process may have open. Kernels and files need some, too.
  ///   - listeningHost: what `--host` says: a name there is one that requests may be sent to.
  func serverOptions(openFiles: UInt64, listeningHost: String, logger: Logger) -> HTTPServerOptions {
    var options = HTTPServerOptions()
    options.writeTimeout = .seconds(writeTimeout)
    options.pathServedOverLimit = "/health"
    options.maximumConnections = min(maxConnections, Int(clamping: max(openFiles / 2, 1)))
    if options.maximumConnections < maxConnections {
      logger.notice(
        "fewer connections than --max-connections: the limit of open files is low",
        metadata: ["connections": "\(options.maximumConnections)", "open-files": "\(openFiles)"])
    }
    options.allowedHosts = (allowedHost + [listeningHost]).compactMap(AllowedHost.init)
    return options
  }
}
