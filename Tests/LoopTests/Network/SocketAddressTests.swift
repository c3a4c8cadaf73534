import Testing

@testable import Loop

@Suite struct SocketAddressTests {
  @Test(arguments: [
    ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("::1", "0/64"),
    ("2001:db8:1:2:3:4:5:6", "20010db800010002/64"), ("2001:db8:1:2::", "20010db800010002/64"),
    ("2001:db8:1:3::", "20010db800010003/64"),
  ])
  func `one client has an IPv4 address or 64 bits of IPv6`(host: String, network: String) throws {
    let address = try #require(NativeAddress(digits: host, port: 80).flatMap(SocketAddress.init))
    #expect(address.network == network)
  }
}
