import Testing

/// All tests that need the loop stand in this suite, which runs one at a time: each counts the loop's handles.
@Suite(.serialized) enum HTTPServerTests {}
