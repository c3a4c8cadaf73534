import DequeModule
import Loop

/// First come, first served: who may use what only one can use at a time, such as a context's kernel.
@LoopActor
final class Turns {
  /// One who wants a turn.
  @LoopActor
  final class Ticket {
    fileprivate var continuation: CheckedContinuation<Void, any Error>?
    fileprivate var isWithdrawn = false
  }

  private var isTaken = false
  private var closingError: (any Error)?
  private var queue: Deque<Ticket> = []

  /// True once somebody has had the turn.
  private(set) var hasBeenTaken = false

  /// True while nobody has the turn.
  var isFree: Bool { !isTaken }

  /// How many wait.
  var waiting: Int { queue.count }

  /// Waits for the turn of `ticket`; `pass` must follow.
  ///
  /// - Throws: `CancellationError` for a ticket that was withdrawn; what `close` was given.
  func take(_ ticket: Ticket) async throws {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      if let closingError {
        continuation.resume(throwing: closingError)
      } else if ticket.isWithdrawn {
        continuation.resume(throwing: CancellationError())
      } else if isTaken {
        ticket.continuation = continuation
        queue.append(ticket)
      } else {
        isTaken = true
        hasBeenTaken = true
        continuation.resume()
      }
    }
  }

  /// Gives up waiting: `take` throws `CancellationError`. Without effect once the turn has come.
  func withdraw(_ ticket: Ticket) {
    ticket.isWithdrawn = true
    queue.removeAll { $0 === ticket }
    ticket.continuation?.resume(throwing: CancellationError())
    ticket.continuation = nil
  }

  /// Ends a turn; the next in line has it.
  func pass() {
    guard let next = queue.popFirst() else {
      isTaken = false
      return
    }
    next.continuation?.resume()
    next.continuation = nil
  }

  /// Lets nobody in any more: who waits, and who comes, gets `error`.
  func close(_ error: any Error) {
    closingError = error
    for ticket in queue {
      ticket.continuation?.resume(throwing: error)
      ticket.continuation = nil
    }
    queue.removeAll()
  }
}
