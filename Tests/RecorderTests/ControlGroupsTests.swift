import Testing

@testable import Recorder

@Suite struct ControlGroupsTests {
    /// Lines as proc_pid_mountinfo(5) describes them, of systemd's unified and hybrid layouts.
    @Test(arguments: [
        (
            "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate",
            "/sys/fs/cgroup"
        ),
        (
            "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
            "/sys/fs/cgroup/unified"
        ),
        ("41 31 0:38 / /mnt/a\\040b\\134 rw shared:1 master:2 - cgroup2 none rw", "/mnt/a b\\"),
        // A part of the hierarchy only.
        ("41 31 0:38 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw", nil),
        ("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu", nil),
        ("", nil), ("- - - - - - -", nil), ("a b c / e f -", nil), ("a b c / e f g", nil),
        ("1 2 3 / \\9 r - cgroup2 c", "\\9"),
    ])
    func whereCgroupTwoIsMounted(_ mountinfo: String, _ path: String?) {
        #expect(ControlGroups.mountPoint(mountinfo: Array(mountinfo.utf8)) == path)
    }

    /// Texts as cgroups(7) describes them.
    @Test(arguments: [
        (
            "12:pids:/system.slice/nginx.service\n1:name=systemd:/system.slice/nginx.service\n0::/",
            "/system.slice/nginx.service"
        ),
        ("5:devices:/docker/ab\n4:cpu,cpuacct:/docker/cd\n0::/", "/docker/ab"),
        ("4:cpu,cpuacct:/docker/cd:ef", "/docker/cd:ef"),
        // Only what every runtime uses: an operator's own memory group says nothing about services.
        ("4:memory:/batch\n1:name=systemd:/\n0::/", nil),
        ("0::/user.slice", nil), ("", nil), ("x", nil), (":::::", nil), ("::", nil),
    ])
    func whereAProcessIsInCgroupOne(_ text: String, _ path: String?) {
        #expect(ControlGroups.legacyPath(cgroup: Array(text.utf8)) == path)
    }

    @Test func bytesThatAreNotTextAreShownAsSuch() {
        #expect(ControlGroups.legacyPath(cgroup: Array("1:pids:/a".utf8) + [0xff]) == "/a\\xff")
    }
}
