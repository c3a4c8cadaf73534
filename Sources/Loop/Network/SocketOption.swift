import Glibc

/// Sets an option of a socket. If the system refuses, the socket works without it.
func setSocketOption(_ option: CInt, at level: CInt, of descriptor: CInt, to value: CInt) {
  var value = value
  setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
}
