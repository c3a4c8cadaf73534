import Testing

/// The suite of all tests that need the loop. They run one at a time, as each counts the loop's handles.
@Suite(.serialized) enum ServerTests {}
