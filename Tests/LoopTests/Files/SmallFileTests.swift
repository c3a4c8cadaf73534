import Bytes
import Glibc
import Testing

@testable import Loop

extension LoopTests {
  @Suite struct SmallFiles {
    @Test func `A directory is created with its parents, and errors name the obstacle`() async throws {
      try await onLoop {
        let root = try TemporaryDirectory(prefix: "small-files-")
        let path = root.path + "/a/b/c"
        for _ in 0..<2 { try SmallFile.makeDirectory(path) }
        #expect(try Descriptor.openDirectory(path: path).status().kind == .directory)
        try await SmallFile.create(root.path + "/file", "x")
        #expect(throws: UVError.notDirectory) { try SmallFile.makeDirectory(root.path + "/file/below") }
        await root.remove()
        #expect(!SmallFile.exists(root.path))
      }
    }
  }
}
