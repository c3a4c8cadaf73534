/// SHA-1 (RFC 3174), which the handshake of RFC 6455 wants as a fingerprint. It keeps nothing secret there, and is not
/// to be used where something should be.
enum SHA1 {
  /// The digest of `message`, 20 bytes.
  static func digest(_ message: [UInt8]) -> [UInt8] {
    var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
    let padded = pad(message)
    for start in stride(from: 0, to: padded.count, by: 64) { mix(padded[start..<start + 64], into: &state) }
    return state.flatMap(bigEndianBytes)
  }

  /// The message, one bit, zeros up to 8 bytes before a multiple of 64, and the length in bits (section 4).
  private static func pad(_ message: [UInt8]) -> [UInt8] {
    var padded = message + [0x80]
    padded += Array(repeating: 0, count: (120 - padded.count % 64) % 64)
    let bits = UInt64(message.count) * 8
    return padded + bigEndianBytes(UInt32(bits >> 32)) + bigEndianBytes(UInt32(truncatingIfNeeded: bits))
  }

  /// Section 6.1.
  private static func mix(_ block: ArraySlice<UInt8>, into state: inout [UInt32]) {
    let words = schedule(block)
    var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
    for (step, word) in words.enumerated() {
      let next = rotate(a, by: 5) &+ function(step, b, c, d) &+ e &+ word &+ constant(step)
      (a, b, c, d, e) = (next, a, rotate(b, by: 30), c, d)
    }
    state = zip(state, [a, b, c, d, e]).map { $0 &+ $1 }
  }

  private static func schedule(_ block: ArraySlice<UInt8>) -> [UInt32] {
    var words = stride(from: block.startIndex, to: block.endIndex, by: 4).map { index in
      block[index..<index + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    }
    for step in 16..<80 {
      words.append(rotate(words[step - 3] ^ words[step - 8] ^ words[step - 14] ^ words[step - 16], by: 1))
    }
    return words
  }

  /// Section 5.
  private static func function(_ step: Int, _ b: UInt32, _ c: UInt32, _ d: UInt32) -> UInt32 {
    switch step {
    case ..<20: b & c | ~b & d
    case 40..<60: b & c | b & d | c & d
    default: b ^ c ^ d
    }
  }

  private static func constant(_ step: Int) -> UInt32 {
    switch step {
    case ..<20: 0x5A82_7999
    case ..<40: 0x6ED9_EBA1
    case ..<60: 0x8F1B_BCDC
    default: 0xCA62_C1D6
    }
  }

  private static func rotate(_ word: UInt32, by bits: UInt32) -> UInt32 { word << bits | word >> (32 - bits) }

  private static func bigEndianBytes(_ word: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
  }
}
