import Bytes
import Glibc
import Loop
import Testing

@testable import Workspace

@Suite struct FilesReplacementTests {
  let workplace = Workplace()

  @Test func `A new file is created with its parents, readable to all by the umask`() throws {
    let old = umask(0o022)
    defer { umask(old) }
    let tree = try workplace.tree()
    #expect(try tree.replace("a/b/c/file", with: "content"))
    #expect(workplace.read("a/b/c/file") == "content")
    #expect(workplace.mode("a/b/c/file") == 0o644 && workplace.mode("a/b") == 0o755)
    #expect(try workplace.names(in: "a/b/c") == ["file"])
  }

  @Test func `A replaced file keeps its permissions and is reported as overwritten`() throws {
    workplace.write("old and longer", to: "script")
    chmod(workplace.root + "/script", 0o750)
    #expect(try workplace.tree().replace("script", with: "new") == false)
    #expect(workplace.read("script") == "new")
    #expect(workplace.mode("script") == 0o750)
    #expect(try workplace.names() == ["script"])
  }

  @Test func `A reader of the old file is not affected by the replacement`() throws {
    workplace.write("old", to: "file")
    let tree = try workplace.tree()
    let (reader, _) = try tree.openFile(RelativePath("file"))
    try tree.replace("file", with: "new")
    #expect(String(try reader.read(upTo: 10, at: 0)) == "old")
  }

  @Test func `Nothing is visible before the commit, and nothing remains after an abandon`()
    throws
  {
    workplace.write("old", to: "file")
    let tree = try workplace.tree()
    for path in ["file", "new", "directory/new"] {
      let replacement = try Replacement(tree, RelativePath(path))
      try replacement.file.write([Bytes("half")], at: 0)
      #expect(try workplace.names() == ["file"])
      #expect(workplace.read("file") == "old")
      replacement.abandon()
    }
    #expect(try workplace.names() == ["file"])
  }

  @Test func `Without unnamed files, a hidden file is used and removed`() throws {
    var tree = try workplace.tree()
    tree.canLinkUnnamedFiles = false
    let replacement = try Replacement(tree, RelativePath("directory/new"))
    #expect(try workplace.names().allSatisfy { $0.hasPrefix(".") })
    replacement.abandon()
    #expect(try workplace.names() == [])
    #expect(try tree.replace("directory/new", with: "1"))
    #expect(try tree.replace("directory/new", with: "2") == false)
    #expect(workplace.read("directory/new") == "2")
    #expect(try workplace.names(in: "directory") == ["new"])
    #expect(try workplace.names() == ["directory"])
  }

  @Test func `A link inside the root is written through, even if it dangles`() throws {
    workplace.makeDirectory("a")
    workplace.write("old", to: "a/file")
    workplace.link("link", to: "a/file")
    workplace.link("dangling", to: "a/new")
    let tree = try workplace.tree()
    #expect(try tree.replace("link", with: "new") == false)
    #expect(try tree.replace("dangling", with: "made"))
    #expect(workplace.isLink("link") && workplace.isLink("dangling"))
    #expect(workplace.read("a/file") == "new" && workplace.read("a/new") == "made")
  }

  @Test func `A directory and a path below a file are no targets`() throws {
    workplace.makeDirectory("directory")
    workplace.write("old", to: "file")
    let tree = try workplace.tree()
    for path in ["directory", "directory/", "new/", "", ".", "directory/.."] {
      #expect(throws: UVError.isDirectory) { try tree.replace(path, with: "x") }
    }
    for path in ["file/x", "file/", "file/x/y"] {
      #expect(throws: UVError.self) { try tree.replace(path, with: "x") }
    }
    #expect(throws: UVError.noEntry) { try tree.replace("nothing/../x", with: "x") }
    #expect(workplace.read("file") == "old")
    #expect(try workplace.names() == ["directory", "file"])
  }

  @Test func `A target that changes during the upload is replaced as it is at the end`() throws {
    let tree = try workplace.tree()
    let replacement = try Replacement(tree, RelativePath("a/file"))
    try replacement.file.write([Bytes("new")], at: 0)
    workplace.makeDirectory("a")
    workplace.write("old", to: "a/file")
    #expect(try replacement.commit() == false)
    #expect(workplace.read("a/file") == "new")

    let second = try Replacement(tree, RelativePath("b"))
    workplace.makeDirectory("b")
    #expect(throws: UVError.isDirectory) { try second.commit() }
    #expect(try workplace.names(in: "b") == [])
  }

  @Test func `Many pieces are written in order from the given offset`() throws {
    let tree = try workplace.tree()
    let replacement = try Replacement(tree, RelativePath("file"))
    try replacement.file.write([Bytes("012"), Bytes(), Bytes("345")], at: 0)
    try replacement.file.write([Bytes("xy")], at: 2)
    _ = try replacement.commit()
    #expect(workplace.read("file") == "01xy45")
  }
}
