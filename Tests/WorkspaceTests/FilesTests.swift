import Glibc
import Bytes
@testable import Loop
import Testing

@testable import Workspace

@Suite struct FilesTests {
  let workplace = Workplace()

  @Test func `A read returns the requested bytes, and fewer only at the end`() throws {
    workplace.write("0123456789", to: "file")
    let (file, status) = try workplace.tree().openFile(RelativePath("file"))
    #expect(status.kind == .file && status.size == 10)
    #expect(String(try file.read(upTo: 4, at: 3)) == "3456")
    #expect(String(try file.read(upTo: 4, at: 8)) == "89")
    #expect(try file.read(upTo: 4, at: 10).isEmpty)
  }

  @Test func `A missing file, a directory and a path below a file are distinguished`() throws {
    workplace.makeDirectory("directory")
    workplace.write("x", to: "file")
    workplace.link("dangling", to: "nothing")
    let tree = try workplace.tree()
    #expect(throws: UVError.noEntry) { try tree.text("nothing") }
    #expect(throws: UVError.noEntry) { try tree.text("nothing/file") }
    #expect(throws: UVError.noEntry) { try tree.text("nothing/../file") }
    #expect(throws: UVError.noEntry) { try tree.text("dangling") }
    #expect(throws: UVError.isDirectory) { try tree.text("directory") }
    #expect(throws: UVError.isDirectory) { try tree.text("directory/") }
    #expect(throws: UVError.isDirectory) { try tree.text(".") }
    #expect(throws: UVError.isDirectory) { try tree.text("") }
    #expect(throws: UVError.notDirectory) { try tree.text("file/") }
    #expect(throws: UVError.notDirectory) { try tree.text("file/x") }
    #expect(throws: UVError.notDirectory) { try tree.text("file/../file") }
    #expect(throws: UVError.notDirectory) { try tree.list(RelativePath("file")) }
    #expect(throws: UVError.noEntry) { try tree.list(RelativePath("nothing")) }
    #expect(throws: UVError.nameTooLong) { try tree.text(String(repeating: "a", count: 256)) }
  }

  @Test func `Pipes, sockets and devices are refused without being opened`() throws {
    mkfifo(workplace.root + "/pipe", 0o644)
    let tree = try workplace.tree()
    #expect(throws: UVError.notAFile) { try tree.text("pipe") }
    #expect(throws: UVError.notAFile) { try tree.replace("pipe", with: "x") }
    #expect(throws: UVError.notAFile) { try Tree(path: "/dev").text("null") }
    #expect(throws: UVError.notAFile) { try Tree(path: "/dev").replace("null", with: "x") }
    try tree.remove("pipe")
    #expect(!workplace.exists("pipe"))
  }

  @Test func `A listing has directories first, then names by their bytes, and the targets of links`() throws {
    workplace.makeDirectory("b")
    workplace.makeDirectory("Z")
    workplace.write("12345", to: "a")
    workplace.write("", to: "B")
    workplace.write("", to: "ä")
    workplace.link("to-b", to: "b")
    workplace.link("to-a", to: workplace.root + "/a")
    workplace.link("out", to: "../secret")
    workplace.link("out-directory", to: "..")
    mkfifo(workplace.root + "/pipe", 0o644)
    let entries = try workplace.tree().list(RelativePath("."))
    #expect(
      entries.map(\.name) == ["Z", "b", "to-b", "B", "a", "out", "out-directory", "pipe", "to-a", "ä"])
    #expect(
      entries.prefix(3).allSatisfy(\.isDirectory) && !entries.dropFirst(3).contains(where: \.isDirectory))
    #expect(entries.first { $0.name == "to-a" }?.size == 5)
    #expect(entries.first { $0.name == "out" }?.size == 9, "the length of the link, not of what is outside")
    #expect(try entries == workplace.tree().list(RelativePath("")))
  }

  @Test func `Modification times have fractions of a second`() throws {
    workplace.write("x", to: "file")
    let times = [timespec(tv_sec: 5, tv_nsec: 0), timespec(tv_sec: 1_700_000_000, tv_nsec: 250_000_000)]
    utimensat(AT_FDCWD, workplace.root + "/file", times, 0)
    let tree = try workplace.tree()
    #expect(try tree.list(RelativePath("")).first?.modified == 1_700_000_000.25)
    #expect(try tree.status(RelativePath("file")).modifiedNanoseconds == 250_000_000)
  }

  @Test func `A directory is removed recursively without following links`() throws {
    for name in ["d", "d/e", "d/e/f", "d/g", "kept"] { workplace.makeDirectory(name) }
    for name in ["d/1", "d/e/2", "d/e/f/3", "kept/file"] { workplace.write("x", to: name) }
    workplace.link("d/out", to: "../kept")
    workplace.link("d/e/absolute", to: workplace.path + "/root2")
    workplace.link("link", to: "kept")
    let tree = try workplace.tree()
    try tree.remove("d")
    try tree.remove("link/")
    #expect(try workplace.names() == ["kept"])
    #expect(workplace.exists("kept/file") && workplace.exists("../root2/secret"))
  }

  @Test func `The root, a file with a slash and a missing file are not removed`() throws {
    workplace.makeDirectory("a")
    workplace.write("x", to: "file")
    workplace.link("top", to: workplace.root)
    let tree = try workplace.tree()
    for path in ["", ".", "./", "a/..", "top/a/.."] {
      #expect(throws: UVError.busy) { try tree.remove(path) }
    }
    try tree.remove("top/.")
    #expect(throws: UVError.notDirectory) { try tree.remove("file/") }
    #expect(throws: UVError.noEntry) { try tree.remove("nothing") }
    #expect(throws: UVError.noEntry) { try tree.remove("nothing/file") }
    #expect(try workplace.names() == ["a", "file"])
  }

  @Test func `A tree deeper than the limits of descriptors and paths is removed`() throws {
    var directory = try Descriptor.openDirectory(path: workplace.root)
    for _ in 0..<3000 {
      try directory.makeDirectory(PathName("d"))
      directory = try directory.openDirectory(PathName("d"))
    }
    let tree = try workplace.tree()
    try tree.remove("d")
    #expect(try workplace.names() == [])
  }

  @Test func `A path that is too deep is refused before descriptors run out`() throws {
    let deep = Array(repeating: "d", count: 500).joined(separator: "/")
    #expect(throws: UVError.nameTooLong) { try workplace.tree().replace(deep + "/file", with: "x") }
    #expect(throws: UVError.nameTooLong) { try RelativePath(String(repeating: "d/", count: 2048)) }
    #expect(throws: UVError.nameTooLong) { try RelativePath("a/" + String(repeating: "b", count: 256)) }
    #expect(try workplace.names() == [])
  }
}
