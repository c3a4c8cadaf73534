import Glibc

@testable import Workspace

private final class Swap {
  let first: String
  let second: String
  let stop: UnsafeMutablePointer<Int32>

  init(_ first: String, _ second: String, _ stop: UnsafeMutablePointer<Int32>) {
    self.first = first
    self.second = second
    self.stop = stop
  }

  func run() {
    while stop.pointee == 0 {
      rename(first, first + "-aside")
      rename(second, first)
      rename(first, second)
      rename(first + "-aside", first)
    }
  }
}

extension Workplace {
  /// A thread that alternates a directory and a link under one name, until `stop` is not zero.
  func swap(_ first: String, with second: String) -> (pthread_t, UnsafeMutablePointer<Int32>) {
    let stop = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
    stop.pointee = 0
    let swap = Swap("\(root)/\(first)", "\(root)/\(second)", stop)
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Swap>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, Unmanaged.passRetained(swap).toOpaque())
    return (thread, stop)
  }
}
