"""Real records: six network namespaces as hosts, two of them behind masquerading and one behind DNAT, each with a recorder.

The clocks of all of them are that of this machine; the files are shifted afterwards. The truth of the pairs comes from the
records before that: of one clock, equal numbers within 50 ms are one RST. What was forged, the forger says.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rst_fleet.engines.duck import DuckEngine
from rst_fleet.ingest import ingest
from rst_fleet.join import hours, join_hour

REPOSITORY = Path(__file__).parents[2]
PROGRAM = os.environ.get("RST_ANALYZE", str(REPOSITORY / ".build/debug/rst-analyze"))
LABORATORY = str(Path(__file__).parent / "laboratory.py")
SERVICE = "10.221.200.1"
#: What is added to the clock of each host, ms.
CLOCKS = {1: -300, 2: 250, 3: 0, 4: -120, 5: 300, 6: 80}
RESETS, FORGED, SECONDS = 2000, 50, 32
MS = 10**6

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not os.access(PROGRAM, os.X_OK), reason="rst-analyze is not built"),
    pytest.mark.skipif(not shutil.which("ip") or not shutil.which("iptables"), reason="needs iproute2 and iptables"),
]


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


class Network:
    """Hosts 1 to 6, each on a network of its own, with a router between them."""

    def __init__(self) -> None:
        self.prefix = f"fleet{os.getpid()}-"
        self.children: list[subprocess.Popen[str]] = []

    def name(self, host: int) -> str:
        return f"{self.prefix}{host or 'router'}"

    def __enter__(self) -> Network:
        try:
            for host in range(7):
                run("ip", "netns", "add", self.name(host))
                run("ip", "-n", self.name(host), "link", "set", "lo", "up")
            for host in CLOCKS:
                run("ip", "-n", self.name(0), "link", "add", f"h{host}", "type", "veth", "peer", "name", "eth0", "netns",
                    self.name(host))
                for end, device, address in ((0, f"h{host}", f"10.221.{host}.1"), (host, "eth0", f"10.221.{host}.2")):
                    run("ip", "-n", self.name(end), "addr", "add", f"{address}/24", "dev", device)
                    run("ip", "-n", self.name(end), "link", "set", device, "up")
                run("ip", "-n", self.name(host), "route", "add", "default", "via", f"10.221.{host}.1")
            self.within(0, "sysctl", "-qw", "net.ipv4.ip_forward=1")
            for host in (5, 6):
                self.within(0, "iptables", "-t", "nat", "-A", "POSTROUTING", "-s", f"10.221.{host}.0/24", "-j", "MASQUERADE")
            self.within(0, "iptables", "-t", "nat", "-A", "PREROUTING", "-d", SERVICE, "-p", "tcp", "-j", "DNAT", "--to-destination",
                        "10.221.4.2")
            for host in CLOCKS:
                self.within(host, "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "8005", "-j", "REJECT", "--reject-with",
                            "tcp-reset")
        except BaseException:
            self.__exit__()
            raise
        return self

    def within(self, host: int, *command: str) -> None:
        run("ip", "netns", "exec", self.name(host), *command)

    def start(self, host: int, *command: str, **options: Any) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            ["ip", "netns", "exec", self.name(host), *command],
            **({"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True} | options))
        self.children.append(child)
        return child

    def __exit__(self, *_: object) -> None:
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
        for host in range(7):
            subprocess.run(["ip", "netns", "del", self.name(host)], capture_output=True)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    """The spools of the six hosts as written, and what was forged."""
    path = tmp_path_factory.mktemp("live")
    (path / "spool").mkdir()
    with Network() as network:
        watchers = []
        for host in CLOCKS:
            log = open(path / f"{host}.log", "w", encoding="utf-8")
            watchers.append(network.start(
                host, PROGRAM, "watch", "-i", "eth0", "--spool", str(path / f"spool/{host}"), "--list", stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=log))
        for host in CLOCKS:
            for _ in range(300):
                if "watching" in (path / f"{host}.log").read_text(encoding="utf-8"):
                    break
                time.sleep(0.1)
            else:
                raise AssertionError((path / f"{host}.log").read_text(encoding="utf-8"))
        servers = [network.start(host, sys.executable, LABORATORY, "serve") for host in (1, 2, 3, 4)]
        for server in servers:
            assert server.stdout and server.stdout.readline() == "ready\n"
        # Nobody resets the first connections, and a quiet time at either end is covered by health records.
        holders, forged = [], []
        places = [(2, "10.221.1.2"), (3, "10.221.2.2"), (5, "10.221.3.2"), (6, "10.221.1.2"), (1, SERVICE)]
        for host, address in places:
            holder = network.start(host, sys.executable, LABORATORY, "hold", address, str(FORGED // len(places)))
            assert holder.stdout
            forged += [json.loads(line) for line in iter(holder.stdout.readline, "ready\n")]
            holders.append(holder)
        assert len(forged) == FORGED
        time.sleep(12)
        visitors = []
        for host in CLOCKS:
            targets = [f"10.221.{other}.2" for other in (1, 2, 3) if other != host] + ([SERVICE] if host != 4 else [])
            visitors.append(network.start(
                host, sys.executable, LABORATORY, "visit", str(RESETS // 6 + 1), str(SECONDS), str(host), *targets))
        # Half of it comes from as far away as the real ones.
        for number, one in enumerate(forged):
            one["ttl"] = 64 if number % 2 else 57
        forger = network.start(0, sys.executable, LABORATORY, "forge", str(SECONDS - 4))
        time.sleep(2)
        assert forger.stdin
        forger.stdin.write("".join(json.dumps(one) + "\n" for one in forged))
        forger.stdin.close()
        for child in [forger, *visitors]:
            assert child.wait(120) == 0
        for holder in holders:
            holder.communicate("")
        for server in servers:
            server.kill()
        # Counts come six seconds late, and a loss may be noticed ten seconds late.
        time.sleep(18)
        for watcher in watchers:
            watcher.send_signal(signal.SIGINT)
        for watcher in watchers:
            assert watcher.wait(30) == 0, (path / "1.log").read_text()
    yield path, forged


def shifted(path: Path) -> tuple[list[dict[str, Any]], Path]:
    """All records as they are, and the spools with clocks and names of their own."""
    records = []
    for host, skew in CLOCKS.items():
        (path / f"shifted/{host}").mkdir(parents=True)
        for file in sorted((path / f"spool/{host}").glob("*.ndjson")):
            with open(path / f"shifted/{host}/{file.name}", "w", encoding="utf-8") as out:
                for line in file.read_text("utf-8").splitlines():
                    record = json.loads(line)
                    record |= {"host": f"h{host}", "host_id": f"{host:032x}"}
                    # The recorders share one kernel and one machine-id, of which the identities are made.
                    record["record_id"] = f"{host:02x}" + record["record_id"][2:]
                    records.append(dict(record))
                    for name in ("ts", "last_ts", "counted_from", "counted_to"):
                        if name in record:
                            record[name] += skew * MS
                    out.write(json.dumps(record) + "\n")
    return records, path / "shifted"


def test_every_pair_and_every_forged_one_and_nothing_else(recorded: tuple[Path, list[dict[str, Any]]], engine: DuckEngine) -> None:
    path, forged = recorded
    records, spool = shifted(path)
    newest: dict[str, dict[str, Any]] = {}
    for record in records:
        old = newest.get(record["record_id"])
        if old is None or record.get("revision", 0) >= old.get("revision", 0):
            newest[record["record_id"]] = record
    sent = [r for r in newest.values() if r["kind"] == "sent"]
    received = [r for r in newest.values() if r["kind"] == "received"]

    keys = defaultdict(list)
    for record in sent:
        keys[record["seq"], record["ack"], record["flags"]].append(record)
    tuples = {(one["src"], one["sport"], one["dst"], one["dport"], one["seq"]) for one in forged}
    truth, forgeries = {}, set()
    for record in received:
        if (record["src"], record["sport"], record["dst"], record["dport"], record["seq"]) in tuples:
            forgeries.add(record["record_id"])
            continue
        near = [s for s in keys[record["seq"], record["ack"], record["flags"]] if abs(s["ts"] - record["ts"]) < 50 * MS]
        # A data segment and the FIN behind it are answered alike: which of two identical RSTs is which, nobody can tell.
        assert near and len({(s["host"], s["src"], s["sport"], s["dst"], s["dport"]) for s in near}) == 1, (record, near)
        truth[record["record_id"]] = {s["record_id"] for s in near}
    assert len(truth) >= RESETS, f"{len(truth)} pairs, {len(sent)} sent, {len(received)} received"
    assert len(forgeries) == FORGED
    assert len({newest[identity]["cause"] for identities in truth.values() for identity in identities}) >= 5

    lake = str(path / "lake")
    result = ingest(engine, [str(spool)], lake)
    assert result.bad.total() == 0 and not result.complaints, result
    assert result.written == len(newest)
    for hour in hours(engine, lake):
        join_hour(engine, lake, hour)
    every = f"read_parquet('{lake}/records/*/*/*.parquet', union_by_name = true, hive_partitioning = false)"
    pairs = dict(engine.run(
        f"SELECT r.record_id, s.record_id FROM '{lake}/pairs/*/*.parquet' p JOIN {every} r ON r.id = p.received_id"
        f" JOIN {every} s ON s.id = p.sent_id"))
    assert set(pairs) == set(truth)
    assert all(sent_id in truth[received_id] for received_id, sent_id in pairs.items())
    named = {row[0] for row in engine.run(
        f"SELECT r.record_id FROM '{lake}/unsent/*/*.parquet' u JOIN {every} r ON r.id = u.id WHERE evidence IS NOT NULL")}
    assert named == forgeries, f"missed {len(forgeries - named)}, wrong {len(named - forgeries)}"
    # Translated at the source, at the destination, and not at all.
    assert {row[0] for row in engine.run(f"SELECT DISTINCT ends FROM '{lake}/pairs/*/*.parquet'")} >= {1, 2, 3}
    print(f"{len(pairs)} pairs, {len(named)} forged")
