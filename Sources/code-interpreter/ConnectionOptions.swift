import HTTPServer
import ArgumentParser
import Bytes
import Logging
import Loop
import Server
import Wire

/// The options for connections of clients.
struct ConnectionOptions: ParsableArguments {
  private static let longestTimeout = 86_400.0

  @Option(
    help: """
      How many seconds a client may read nothing while data waits to be sent to it. After that it counts as \
      disconnected, and what it runs is interrupted.
      """)
  var writeTimeout = 60.0

  @Option(
    help: """
      How many connections may be open at once, at most half of the files that the system lets this process open. \
      Further ones are answered 503 and closed, except for /health.
      """)
  var maxConnections = 4096

  @Option(
    help: ArgumentHelp(
      """
      A host name that requests may be sent to, or *.example.com for all names below one; may be repeated. Addresses, \
      names without a dot, and names below .localhost, .local, .internal and .svc are always allowed. Others are \
      refused unless the server asks for a token, since any web page could make its own name point to this server.
      """, valueName: "name"))
  var allowedHost: [String] = []

  @Option(
    help: ArgumentHelp(
      """
      A site whose pages may use this server from a browser, such as https://app.example.com; may be repeated. Its \
      pages get CORS headers. Pages of all other sites are refused.
      """, valueName: "origin"))
  var allowedOrigin: [String] = []

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
    for origin in allowedOrigin where Origin(Bytes(origin)) == nil {
      throw ValidationError(
        "--allowed-origin should be a scheme, a host and perhaps a port, as in https://app.example.com:8080, not '\(origin)'."
      )
    }
  }

  /// How long a client may acknowledge nothing before the system aborts its connection, in case this server does not. Well
  /// above the write time-out: the system counts from when the client's window closed, and so would abort the connection of a
  /// client that reads 128 kB/s after twice the time-out, if that is short.
  var peerTimeout: Duration { .seconds(max(2 * writeTimeout, 30)) }

  /// - Parameters:
  ///   - openFiles: how many files this process may have open. Kernels and files need some of them.
  ///   - listeningHost: the value of `--host`. If it is a name, requests may be sent to it.
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
    options.allowedOrigins = allowedOrigin.compactMap { Origin(Bytes($0)) }
    options.allowedHosts = (allowedHost + [listeningHost]).compactMap(AllowedHost.init)
    return options
  }
}
