import Testing

/// All tests that need the loop are in this suite, which runs them one at a time: each counts the loop's handles.
@Suite(.serialized) enum WorkspaceTests {}
