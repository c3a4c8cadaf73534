import Testing

@testable import Jupyter

@Suite struct OOMKillCounterTests {
  @Test func `reads the count of either version`() {
    #expect(OOMKillCounter.count(in: "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n") == 2)
    #expect(OOMKillCounter.count(in: "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n") == 7)
    #expect(OOMKillCounter.count(in: "oom_kill many\n") == nil)
    #expect(OOMKillCounter.count(in: "") == nil)
  }

  @Test func `finds the group, or the root if its path is not visible`() {
    #expect(
      OOMKillCounter.candidates(for: "0::/system.slice/x.service") == [
        "/sys/fs/cgroup/system.slice/x.service/memory.events", "/sys/fs/cgroup/memory.events",
      ])
    #expect(
      OOMKillCounter.candidates(for: "4:cpu,memory:/docker/abc") == [
        "/sys/fs/cgroup/memory/docker/abc/memory.oom_control", "/sys/fs/cgroup/memory/memory.oom_control",
      ])
    #expect(OOMKillCounter.candidates(for: "3:cpu:/x").isEmpty)
    #expect(OOMKillCounter.candidates(for: "nonsense").isEmpty)
  }
}
