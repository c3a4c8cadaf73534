/// The socket types of ZeroMQ that Jupyter uses.
///
/// https://rfc.zeromq.org/spec/28/ and https://rfc.zeromq.org/spec/29/
public enum ZMTPSocketType: String, Sendable {
  /// Sends to its peers in turn, receives from all.
  case dealer = "DEALER"
  /// Sends to a peer by its routing identity.
  case router = "ROUTER"
  /// Sends to all subscribers.
  case publisher = "PUB"
  /// A PUB whose owner reads the subscriptions.
  case extendedPublisher = "XPUB"
  /// Receives the messages it has subscribed to.
  case subscriber = "SUB"
  /// A SUB whose owner writes the subscriptions.
  case extendedSubscriber = "XSUB"

  /// Longer than the name of any type, in bytes. ZeroMQ's longest is `CHANNEL`.
  static let longestName = 16

  /// The subscription to all topics, as a message to a publisher. ZMTP 3.1 has a command for it, and accepts the
  /// message too.
  public static var subscriptionToAll: StaticString { "\u{1}" }

  /// True if sockets of these types may be connected (https://rfc.zeromq.org/spec/23/, "The NULL mechanism").
  func speaks(to peer: ZMTPSocketType) -> Bool {
    switch self {
    case .dealer, .router: peer == .dealer || peer == .router
    case .publisher, .extendedPublisher: peer == .subscriber || peer == .extendedSubscriber
    case .subscriber, .extendedSubscriber: peer == .publisher || peer == .extendedPublisher
    }
  }
}
