extension String {
  /// True where it is all ASCII. What clients send and we only know in ASCII is looked at for this before it is compared or
  /// looked up: Swift brings other text into a normal form for that, which takes time with the square of the length where
  /// marks combine, a minute for half a megabyte.
  var isASCII: Bool { utf8.allSatisfy { $0 < 0x80 } }
}
