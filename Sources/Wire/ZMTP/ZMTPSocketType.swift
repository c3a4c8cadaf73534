/// What a socket does with messages; of ZeroMQ's kinds those that Jupyter has.
///
/// https://rfc.zeromq.org/spec/28/ and https://rfc.zeromq.org/spec/29/
public enum ZMTPSocketType: String, Sendable {
  /// Sends to its peers in turn, receives from all.
  case dealer = "DEALER"
  /// Tells its peers apart, and sends to the one that is meant.
  case router = "ROUTER"
  /// Sends to all who subscribed.
  case publisher = "PUB"
  /// The same, and its owner reads the subscriptions.
  case extendedPublisher = "XPUB"
  /// Receives what it subscribed to.
  case subscriber = "SUB"
  /// The same, and its owner writes the subscriptions.
  case extendedSubscriber = "XSUB"

  /// More than the name of any kind has; ZeroMQ's own longest is `CHANNEL`, in bytes.
  static let longestName = 16

  /// The subscription to everything, as a message to a publisher. Those of ZMTP 3.1 take it too, besides a command of
  /// that version.
  public static var subscriptionToAll: StaticString { "\u{1}" }

  /// True where sockets of these kinds may be connected (https://rfc.zeromq.org/spec/23/, "The NULL mechanism").
  func speaks(to peer: ZMTPSocketType) -> Bool {
    switch self {
    case .dealer, .router: peer == .dealer || peer == .router
    case .publisher, .extendedPublisher: peer == .subscriber || peer == .extendedSubscriber
    case .subscriber, .extendedSubscriber: peer == .publisher || peer == .extendedPublisher
    }
  }
}
