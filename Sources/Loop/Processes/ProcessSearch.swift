/// Looks through the processes of the machine for all who want some of them ended, together and in one thread of the
/// pool: when 64 contexts are deleted at once, a search for each would hold all four threads for seconds, and files
/// would wait.
@LoopActor
enum ProcessSearch {
  /// A process that forks while it is looked for is found in the next round; a fork bomb is not worth more.
  private static let rounds = 50
  /// What was killed needs a moment to go.
  private static let pause: Duration = .milliseconds(2)

  /// One who waits for the end of processes.
  private struct Order {
    let signs: ProcessSigns
    let left = Promise<[Int32]>()
    var rounds = 0
  }

  private static var orders: [Order] = []
  private static var isUnderWay = false
  /// How often the processes were looked through; for tests.
  private(set) static var count = 0

  /// Kills what shows one of `signs`, until nothing does any more.
  ///
  /// - Returns: the processes that would not go.
  static func end(_ signs: ProcessSigns) async -> [Int32] {
    let order = Order(signs: signs)
    orders.append(order)
    if !isUnderWay {
      isUnderWay = true
      LoopActor.task { await search() }
    }
    return await order.left.getRegardless()
  }

  private static func search() async {
    while !orders.isEmpty {
      let unfinished = await round(exchange(&orders, with: []))
      // Who has come meanwhile need not wait.
      if orders.isEmpty && !unfinished.isEmpty { try? await EventLoop.sleep(for: pause) }
      orders += unfinished
    }
    isUnderWay = false
  }

  /// - Returns: the orders for which something was found, so that it has to be looked once more.
  private static func round(_ orders: [Order]) async -> [Order] {
    let signs = orders.map(\.signs)
    count += 1
    let found = (try? await Pending { ProcessTable.kill(signs) }.valueRegardless()) ?? signs.map { _ in [] }
    var unfinished: [Order] = []
    for (var order, processes) in zip(orders, found) {
      order.rounds += 1
      if processes.isEmpty || order.rounds > rounds {
        order.left.fulfil(processes)
      } else {
        unfinished.append(order)
      }
    }
    return unfinished
  }
}
