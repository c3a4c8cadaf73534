import Testing

@testable import Jupyter

@Suite struct OutOfMemoryTests {
  @Test func `reads the count of either version`() {
    #expect(OutOfMemory.count(in: "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n") == 2)
    #expect(OutOfMemory.count(in: "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n") == 7)
    #expect(OutOfMemory.count(in: "oom_kill many\n") == nil)
    #expect(OutOfMemory.count(in: "") == nil)
  }

  @Test func `finds the group, or the root where its path is not visible`() {
    #expect(
      OutOfMemory.candidates(for: "0::/system.slice/x.service") == [
        "/sys/fs/cgroup/system.slice/x.service/memory.events", "/sys/fs/cgroup/memory.events",
      ])
    #expect(
      OutOfMemory.candidates(for: "4:cpu,memory:/docker/abc") == [
        "/sys/fs/cgroup/memory/docker/abc/memory.oom_control", "/sys/fs/cgroup/memory/memory.oom_control",
      ])
    #expect(OutOfMemory.candidates(for: "3:cpu:/x").isEmpty)
    #expect(OutOfMemory.candidates(for: "nonsense").isEmpty)
  }
}
