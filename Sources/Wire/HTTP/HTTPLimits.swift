/// The limits of a message. All lengths are in bytes.
public struct HTTPLimits: Sendable, Equatable {
  /// The longest method; registered ones have at most 17 letters (`UPDATEREDIRECTREF`).
  var methodLength = 32
  /// The longest request target (414). A path of 4096 bytes, the longest in Linux, is three times as long if each byte is
  /// percent-encoded; nginx takes 8 KiB, Node.js 16 KiB.
  var targetLength = 16 << 10
  /// The longest status line of a response.
  var statusLineLength = 8 << 10
  /// The longest field section with its line breaks (431): as in nginx, twice that of Node.js.
  var fieldSectionLength = 32 << 10
  /// The most fields in a section (431), as in Apache: each costs memory of its own.
  var fieldCount = 100
  /// The longest line with a chunk's size, 16 digits, and extensions, which are hardly used.
  var chunkLineLength = 256
  /// The longest chunk extensions of a whole body: they are ignored, but have to be read.
  var chunkExtensionsLength = 16 << 10
  /// The longest trailer section.
  var trailerLength = 8 << 10
  /// The most empty lines before a request line. RFC 9112, 2.2 asks for at least one: old clients end a body with one.
  var leadingEmptyLines = 4
  /// The most interim responses (1xx) before a response.
  var interimResponses = 16

  /// The limits that suit a server on its own or behind a proxy.
  public init() {}
}
