import Bytes

/// The masking of RFC 6455, section 5.3, over any number of pieces.
struct WebSocketMask {
  /// The next eight bytes of the mask, the first one lowest.
  private var word: UInt64

  init(key: UInt32) {
    let lowestFirst = UInt64(key.byteSwapped)
    word = lowestFirst << 32 | lowestFirst
  }

  /// Appends `piece`, masked.
  mutating func append(_ piece: Bytes, to frame: inout ByteBuffer) {
    let word = word
    frame.reserve(piece.count)
    piece.withSpan { source in
      frame.withFreeTail { tail in
        // The tail has room for the whole source, and both views are bounds-checked.
        var target = MutableRawSpan(_unsafeBytes: tail)
        Self.copy(source, to: &target, mask: word)
      }
    }
    frame.commit(piece.count)
    let turn = UInt64(piece.count % 4 * 8)
    self.word = turn == 0 ? word : word >> turn | word << (64 - turn)
  }

  /// 64 bytes at a time, then 8, then 1.
  private static func copy(_ source: Span<UInt8>, to target: inout MutableRawSpan, mask word: UInt64) {
    var index = 0
    let block = SIMD8(repeating: word.littleEndian)
    while index <= source.count - 64 {
      target.storeBytes(of: source.block(at: index) ^ block, toByteOffset: index, as: SIMD8<UInt64>.self)
      index += 64
    }
    while index <= source.count - 8 {
      let masked = source.word(at: index) ^ word
      target.storeBytes(of: masked.littleEndian, toByteOffset: index, as: UInt64.self)
      index += 8
    }
    while index < source.count {
      let key = UInt8(truncatingIfNeeded: word >> UInt64(index % 4 * 8))
      target.storeBytes(of: source[index] ^ key, toByteOffset: index, as: UInt8.self)
      index += 1
    }
  }
}
