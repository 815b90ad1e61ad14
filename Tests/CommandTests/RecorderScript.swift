import Foundation

/// Shell scripts that run `record`.
enum RecorderScript {
    /// Runs a script in a network namespace and a mount namespace of its own.
    ///
    /// `begin DIR [OPTIONS]` starts `record` in the background, waits until it has begun and sets `pid`; what it says goes to
    /// DIR.err. `finish` waits for its end and prints `status N`. `reset N` has N connects refused. `until_said DIR WORDS`
    /// waits until the recorder has said that.
    static func run(_ text: String, in folder: URL) throws -> Program.Result {
        let functions = """
            pid=
            trap '[ -z "$pid" ] || kill -KILL $pid 2>/dev/null' EXIT
            mount -t tmpfs none /run
            ip link set lo up
            wait_for() { n=0; until "$@"; do n=$((n + 1)); [ $n -lt 300 ] || { echo "waited in vain: $*"; exit 9; }; sleep 0.1; done; }
            begin() { dir=$1; shift; env --default-signal "$RST" record -o "$dir" --ready-file "$dir.ready" "$@" 2>"$dir.err" & pid=$!
                wait_for [ -e "$dir.ready" -o ! -d "/proc/$pid" ]; }
            finish() { wait $pid; echo "status $?"; }
            reset() { python3 -c "import socket
            for i in range($1):
              s=socket.socket(); s.connect_ex(('127.0.0.1',9)); s.close()"; }
            said() { grep -q "$2" "$1.err"; }
            until_said() { wait_for said "$1" "$2"; }

            """
        return try Program.run(
            more: ["-n", "-m", "env", "RST=\(Program.path)", "sh", "-c", functions + text],
            executable: "/usr/bin/unshare", in: folder)
    }
}
