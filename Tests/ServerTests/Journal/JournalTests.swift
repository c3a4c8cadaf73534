import Bytes
import Logging
import Loop
import TestLoop
import Testing

@testable import Server

extension ServerTests {
  @Suite struct Journals {
    /// An independent model: all lines, in order.
    private static func line(_ number: Int, _ length: Int) -> Bytes {
      var line = ByteBuffer()
      line.append("\(number) ")
      line.append(contentsOf: repeatElement(UInt8(ascii: "x"), count: length))
      line.append(UInt8(ascii: "\n"))
      return line.takeAll()
    }

    @LoopActor
    private static func journal(
      capacity: Int64 = 1 << 30, directory: String = TemporaryDirectory.parent,
      account: JournalAccount = JournalAccount()
    ) -> Journal {
      Journal(
        capacity: capacity, directory: directory, account: account,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @LoopActor
    private static func text(of journal: Journal, after line: Int) async throws -> Bytes {
      guard var offset = try await journal.offset(ofLine: line) else { return Bytes() }
      var text = ByteBuffer()
      while offset < journal.endOffset {
        let block = try await journal.read(at: offset)
        text.append(block)
        offset += Int64(block.count)
      }
      return text.takeAll()
    }

    @Test(arguments: [0, 100, 1 << 20, 6 << 20]) func `every line is read as it was written`(size: Int)
      async throws
    {
      try await TestLoop.run { () async throws in
        var random = SeededGenerator(seed: UInt64(size))
        let journal = Self.journal()
        var lines: [Bytes] = []
        var count = 0
        while count < size {
          // Some are longer than a block, some than what stays in memory.
          let longest = [50, 5000, 100_000, 2 << 20][Int.random(in: 0..<4, using: &random)]
          let line = Self.line(lines.count, Int.random(in: 0..<longest, using: &random))
          lines.append(line)
          count += line.count
          await journal.append([line[0..<1], line[1...]])
          if lines.count % 17 == 0 {
            let after = Int.random(in: 0...lines.count, using: &random)
            #expect(try await Self.text(of: journal, after: after) == Bytes.join(Array(lines[after...])))
          }
        }
        journal.complete()
        #expect(journal.lineCount == lines.count && journal.firstLine == 0)
        for after in stride(from: 0, through: lines.count, by: max(lines.count / 8, 1)) {
          #expect(try await Self.text(of: journal, after: after) == Bytes.join(Array(lines[after...])))
        }
      }
    }

    @Test func `the oldest lines are dropped, and readers of these are told`() async throws {
      try await TestLoop.run { () async throws in
        let journal = Self.journal(capacity: 2 << 20)
        var lines: [Bytes] = []
        for number in 0..<500 {
          lines.append(Self.line(number, 20_000))
          await journal.append([lines[number]])
          guard number % 50 == 0 else { continue }
          let first = journal.firstLine
          #expect(try await Self.text(of: journal, after: first) == Bytes.join(Array(lines[first...])))
        }
        #expect(journal.firstLine > 380 && journal.firstLine < 410)
        await #expect(throws: Journal.Dropped(first: journal.firstLine)) {
          _ = try await journal.offset(ofLine: journal.firstLine - 1)
        }
        await #expect(throws: Journal.Dropped(first: journal.firstLine)) {
          _ = try await journal.read(at: journal.startOffset - 1)
        }
      }
    }

    @Test func `a reader that waits is woken by each line and by the end`() async throws {
      try await TestLoop.run { () async throws in
        let journal = Self.journal()
        let reader = LoopActor.task {
          var text = ByteBuffer()
          while true {
            try await journal.wait(beyond: Int64(text.count))
            if journal.endOffset == text.count { return text.takeAll() }
            text.append(try await journal.read(at: Int64(text.count)))
          }
        }
        for number in 0..<10 {
          await journal.append([Self.line(number, number)])
          await Task.yield()
        }
        journal.complete()
        #expect(try await reader.value == Bytes.join((0..<10).map { Self.line($0, $0) }))
      }
    }

    @Test func `without a place for its file it goes on with what fits in memory`() async throws {
      try await TestLoop.run { () async throws in
        let journal = Self.journal(directory: "/proc/no/such/directory")
        var lines: [Bytes] = []
        for number in 0..<500 {
          lines.append(Self.line(number, 20_000))
          await journal.append([lines[number]])
          // The attempt to write ends in another turn.
          if journal.failure == nil, journal.endOffset > Int64(Journal.memoryLimit) {
            while journal.failure == nil { try await EventLoop.sleep(for: .milliseconds(1)) }
          }
        }
        #expect(journal.failure != nil)
        let first = journal.firstLine
        #expect(first > 440 && first < 460)
        #expect(try await Self.text(of: journal, after: first) == Bytes.join(Array(lines[first...])))
      }
    }

    @Test func `blocks are short and keep no long line in memory`() async throws {
      try await TestLoop.run { () async throws in
        let account = JournalAccount()
        let journal = Self.journal(account: account)
        var storage: ByteStorage? = ByteStorage(capacity: 3 << 20)
        storage?.base.initializeMemory(as: UInt8.self, repeating: UInt8(ascii: "x"), count: 3 << 20)
        weak let line = storage
        if let storage { await journal.append([Bytes(sharing: storage), "\n"]) }
        storage = nil
        var blocks: [Bytes] = []
        while blocks.byteCount < journal.endOffset {
          blocks.append(try await journal.read(at: Int64(blocks.byteCount)))
        }
        #expect(blocks.allSatisfy { $0.count <= Journal.readLength })
        // The line is in the file then.
        while account.count > 0 { try await EventLoop.sleep(for: .milliseconds(1)) }
        #expect(line == nil)
        #expect(blocks.byteCount == 3 << 20 + 1)
      }
    }

    // Few lines are all in memory.
    @Test(arguments: [3, 300])
    func `blocks end with a line, if lines are shorter than blocks`(lines: Int) async throws {
      try await TestLoop.run { () async throws in
        let journal = Self.journal()
        for number in 0..<lines {
          let line = Self.line(number, number % 10 == 0 ? 200_000 : number * 71 % 10_000)
          await journal.append([line[0..<1], line[1...]])
        }
        var offset: Int64 = 0
        while offset < journal.endOffset {
          let block = try await journal.read(at: offset)
          #expect(block[block.count - 1] == UInt8(ascii: "\n"))
          offset += Int64(block.count)
        }
      }
    }

    @Test func `the memory does not grow with the journal`() async throws {
      try await TestLoop.run { () async throws in
        let account = JournalAccount()
        let journal = Self.journal(account: account)
        let line = Self.line(0, 100_000)
        var most = 0
        for _ in 0..<640 {
          await journal.append([line])
          most = max(most, account.count)
        }
        #expect(most <= Journal.mostUnwritten + line.count)
        journal.complete()
        while account.count > Journal.memoryLimit { try await EventLoop.sleep(for: .milliseconds(1)) }
      }
    }
  }
}
