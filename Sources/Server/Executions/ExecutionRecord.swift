import Bytes
import Loop
import Wire

/// What is known of an execution, while it lives and for some time after. Some hundred bytes, whatever the execution prints.
struct ExecutionRecord: Sendable {
  /// A failure that was reported.
  struct Failure: Equatable, Sendable {
    /// Longer names and values are cut, in bytes.
    private static let longestName = 128, longestValue = 1024

    let name: String
    let value: String

    /// Both are the contents of JSON strings.
    init(name: Bytes, value: Bytes) {
      self.name = Self.excerpt(name, Self.longestName)
      self.value = Self.excerpt(value, Self.longestValue)
    }

    private static func excerpt(_ contents: Bytes, _ limit: Int) -> String {
      // An escape takes six bytes at most for one byte.
      let beginning = contents[0..<min(contents.count, 6 * limit)]
      return JSONString.decode(contents: beginning).excerpt(atMost: limit)
    }
  }

  typealias Time = (seconds: Int64, microseconds: Int32)

  let identifier: String
  let contextIdentifier: String
  let language: String
  let created = WallClock.now()
  private(set) var started: Time?
  private(set) var finished: Time?
  private(set) var state = ExecutionStatus.queued
  private(set) var executionCount: Int64?
  /// The number of lines, `end_of_execution` included.
  private(set) var lineCount = 0
  private(set) var failure: Failure?

  init(identifier: String, contextIdentifier: String, language: String) {
    self.identifier = identifier
    self.contextIdentifier = contextIdentifier
    self.language = language
  }

  var isFinished: Bool { finished != nil }

  /// The client is told this.
  mutating func note(_ event: OutputEvent) {
    lineCount += 1
    switch event {
    case .accepted(let count):
      executionCount = count
      begin()
    case .error(let name, let value, _): failure = Failure(name: name, value: value)
    default: break
    }
  }

  /// The kernel has taken the code.
  private mutating func begin() {
    guard state == .queued else { return }
    state = .running
    started = WallClock.now()
  }

  /// The code waits for an answer, or goes on.
  mutating func wait(forInput isWaiting: Bool) {
    guard state == .running || state == .waitingForInput else { return }
    state = isWaiting ? .waitingForInput : .running
  }

  /// It has ended. Whatever error was reported is a failure, such as that its variables could not be set.
  mutating func finish(_ state: ExecutionStatus) {
    guard !isFinished else { return }
    self.state = state == .succeeded && failure != nil ? .failed : state
    finished = WallClock.now()
  }

  /// Writes it as JSON.
  ///
  /// - Parameter firstLine: the number of the first line that is kept, from 0; nil where none are.
  func write(to json: inout JSONWriter, firstLine: Int?) {
    json.object { json in
      json.key("id")
      json.value(identifier)
      json.key("context_id")
      json.value(contextIdentifier)
      json.key("language")
      json.value(language)
      json.key("state")
      json.value(state.rawValue)
      json.key("created")
      json.value(Timestamp.format(created))
      json.key("started")
      json.value(started.map(Timestamp.format))
      json.key("finished")
      json.value(finished.map(Timestamp.format))
      json.key("execution_count")
      json.value(executionCount)
      json.key("first_line")
      json.value(firstLine)
      json.key("lines")
      json.value(lineCount)
      json.key("error")
      guard let failure else { return json.null() }
      json.object { json in
        json.key("name")
        json.value(failure.name)
        json.key("value")
        json.value(failure.value)
      }
    }
  }
}
