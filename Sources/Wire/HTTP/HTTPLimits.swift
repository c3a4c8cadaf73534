/// How much of a message a parser takes before it refuses the rest. All lengths are in bytes.
public struct HTTPLimits: Sendable, Equatable {
  /// The longest method that is read; registered ones have at most 17 letters (`UPDATEREDIRECTREF`).
  public var methodLength = 32
  /// The longest request target (414). A path of 4096 bytes, which is what Linux takes, is three times as long when
  /// each byte is percent-encoded; nginx takes 8 KiB, Node.js 16 KiB.
  public var targetLength = 16 << 10
  /// The longest status line of a response.
  public var statusLineLength = 8 << 10
  /// The longest field section with all its line breaks (431): as much as nginx takes, twice what Node.js does.
  public var fieldSectionLength = 32 << 10
  /// The most fields in a section (431), as in Apache: each costs memory of its own.
  public var fieldCount = 100
  /// The longest line with a chunk's size and extensions: 16 digits, and extensions that nobody uses.
  public var chunkLineLength = 256
  /// The most bytes that all chunk extensions of one body may have, so that nobody can make us read for nothing.
  public var chunkExtensionsLength = 16 << 10
  /// The longest trailer section.
  public var trailerLength = 8 << 10
  /// The most empty lines before a request line. RFC 9112, 2.2 asks for one at least: old clients end a body with one.
  public var leadingEmptyLines = 4
  /// The most interim responses (1xx) that a client passes over before it gives up.
  public var interimResponses = 16

  /// The limits that suit a server on its own or behind a proxy.
  public init() {}
}
