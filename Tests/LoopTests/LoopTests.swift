import Loop
import TestLoop
import Testing

/// Runs `body` on the loop and checks that it leaves no further handles open.
@discardableResult
func onLoop<R: Sendable>(
  sourceLocation: SourceLocation = #_sourceLocation, _ body: @escaping @LoopActor () async throws -> R
) async throws -> R {
  try await TestLoop.run(sourceLocation: sourceLocation, body)
}

/// Lets other tasks run until `isDone`.
@LoopActor
func until(_ isDone: () -> Bool) async {
  while !isDone() { await LoopActor.task {}.value }
}

/// The suite of all tests of the loop, which run one at a time.
@Suite(.serialized) enum LoopTests {}
