from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import T0, record, write

from rst_fleet import plan
from rst_fleet.engines.duck import DuckEngine
from rst_fleet.ingest import ingest
from rst_fleet.join import hours, join_hour

MS, SECOND = 10**6, 10**9


class Fleet:
    """Records of hosts, and what the join makes of them."""

    def __init__(self, engine: DuckEngine, path: Path) -> None:
        self.engine, self.path, self.lines = engine, path, list[dict[str, Any]]()
        self.number = 0

    def reset(self, at: int = T0, delay: int = MS, sender: str = "a", receiver: str = "b", sent: dict[str, Any] | None = None,
              received: dict[str, Any] | None = None, **both: Any) -> None:
        """One RST as its two ends record it; sent or received with fields in which they differ, or False: no record."""
        self.number += 1
        both = {"seq": 10_000 + self.number, "ack": 0, "flags": "R", "sport": 80, "dport": 30_000 + self.number} | both
        if sent is not False:
            self.lines.append(record("sent", **{"host": sender, "ts": at, "mono_ns": at - T0 + 10**15, **both, **(sent or {})}))
        if received is not False:
            self.lines.append(record("received", **{
                "host": receiver, "ts": at + delay, "mono_ns": at + delay - T0 + 10**15, "ttl": 60, **both, **(received or {})}))

    def join(self) -> None:
        write(self.path / "spool/a.ndjson", self.lines)
        result = ingest(self.engine, [str(self.path / "spool")], str(self.path / "lake"))
        assert result.written == len(self.lines), result
        for hour in hours(self.engine, str(self.path / "lake")):
            join_hour(self.engine, str(self.path / "lake"), hour)

    def rows(self, name: str, columns: str) -> list[tuple[Any, ...]]:
        return self.engine.run(f"SELECT {columns} FROM '{self.path}/lake/{name}/*/*.parquet' ORDER BY ALL")

    @property
    def pairs(self) -> int:
        return self.rows("pairs", "count(*)")[0][0]

    @property
    def right(self) -> bool:
        """Whether all pairs are of one RST: the tests give each another dport, or window where that is the same."""
        return not self.engine.run(
            f"SELECT 1 FROM '{self.path}/lake/pairs/*/*.parquet' p"
            f" JOIN '{self.path}/lake/records/*/kind=sent/*.parquet' s ON s.id = p.sent_id"
            f" JOIN '{self.path}/lake/records/*/kind=received/*.parquet' r ON r.id = p.received_id"
            " WHERE s.\"window\" IS DISTINCT FROM r.\"window\"")


@pytest.fixture
def fleet(engine: DuckEngine, tmp_path: Path) -> Fleet:
    return Fleet(engine, tmp_path)


def test_pairs_across_translation(fleet: Fleet) -> None:
    for number in range(20):
        fleet.reset(T0 + number * SECOND)
    fleet.reset(T0 + SECOND, received={"src": "172.16.0.1", "sport": 443})
    fleet.reset(T0 + SECOND, sent={"dst": "192.168.0.1", "dport": 9})
    fleet.reset(T0 + SECOND, received={"src": "172.16.0.1", "sport": 443}, sent={"dst": "192.168.0.1", "dport": 9})
    fleet.join()
    assert sorted(row[0] for row in fleet.rows("pairs", "ends")) == [0, 1, 2] + [3] * 20
    assert fleet.rows("unsent", "count(*)") == [(0,)]


@pytest.mark.parametrize("at", [T0 // (10 * SECOND) * 10 * SECOND, T0 // (3600 * SECOND) * 3600 * SECOND])
def test_edges_of_buckets_and_hours(fleet: Fleet, at: int) -> None:
    """A RST that is in one bucket at its sender and in the next, or the one before, at its receiver."""
    for number in range(10):
        fleet.reset(at - 5 * MS - number, delay=300 * MS)
        fleet.reset(at + 5 * MS + number, delay=-300 * MS, sender="c", receiver="d")
    fleet.join()
    assert fleet.pairs == 20


def test_clocks_apart_and_a_scanner(fleet: Fleet) -> None:
    """A scanner that always sends the same numbers, also twice to one port within a second, seen by hosts with clocks 600 ms
    apart: the untranslated ends tell most RSTs apart, the clocks the rest."""
    for number in range(400):
        target, at = number % 8, T0 + number * 40 * MS
        skew = (target - 4) * 75 * MS
        end = {"src": f"10.1.0.{target}", "sport": 1 + number // 16}
        through = {"dst": "192.168.0.1", "dport": 20_000 + number} if number % 2 else None
        fleet.reset(at + skew, delay=MS - skew, sender=f"t{target}", receiver="scanner", seq=0, ack=0xDEADBEEF, flags="RA",
                    dst="10.9.9.9", dport=44444, window=number, sent=through, **end)
    fleet.join()
    assert fleet.right
    assert fleet.pairs >= 396


def test_many_identical_are_not_compared_each_with_each(fleet: Fleet) -> None:
    """A host that repeats one RST ten thousand times costs no more than that, and proves nothing."""
    for _ in range(3000):
        fleet.reset(T0, seq=5, dport=5, received=False)
        fleet.reset(T0, seq=5, dport=5, sent=False)
    for _ in range(3000):
        fleet.reset(T0, seq=6, sport=5, dport=6, dst="192.168.0.1", received=False)
        fleet.reset(T0, seq=6, sport=5, dport=6, src="172.16.0.1", sent=False)
    fleet.join()
    assert fleet.pairs <= 16
    assert fleet.rows("unsent", "DISTINCT heavy, evidence") == [(True, None)]


def test_numbers_that_connections_share_by_chance(fleet: Fleet) -> None:
    """Two connections with equal numbers, both translated at both ends: which is which cannot be known."""
    for number in range(20):
        fleet.reset(T0 + number * SECOND)
    nat = {"sent": {"src": "10.5.0.1", "dst": "192.168.0.1"}, "received": {"src": "172.16.0.1", "dst": "10.6.0.1"}}
    fleet.reset(T0, seq=77, dport=1000, **nat)
    fleet.reset(T0, seq=77, dport=1001, **nat)
    fleet.join()
    assert fleet.pairs == 20
    assert fleet.rows("unsent", "evidence") == [(None,), (None,)]


def test_another_cluster_may_have_the_same_addresses(fleet: Fleet) -> None:
    for number in range(40):
        for cluster in ("east", "west"):
            fleet.reset(T0 + number * 100 * MS, seq=0, ack=7, dport=1000 + number, window=len(cluster) + (cluster == "east"),
                        sender=f"a-{cluster}", receiver=f"b-{cluster}", cluster=cluster, src="10.0.0.1", flags="RA")
    fleet.join()
    assert fleet.pairs == 80 and fleet.right


# Injections.

def healthy(fleet: Fleet, host: str, address: str, **more: Any) -> None:
    """Health records that cover a minute either way, and count what the host wrote."""
    for number in range(-6, 6):
        end = T0 + number * 10 * SECOND
        to = end - 6 * SECOND
        written = sum(1 for line in fleet.lines if line["host"] == host and line["kind"] != "health"
                      and to - 10 * SECOND < line["ts"] <= to)
        fleet.lines.append(record("health", host=host, ts=end, mono_ns=end - T0 + 10**15, addresses=[address], **(
            {"covered_ns": 10 * SECOND, "counted": written, "counted_from": to - 10 * SECOND, "counted_to": to} | more)))


def usual(fleet: Fleet) -> None:
    """Ten RSTs between a and b, from 50 s before."""
    for number in range(10):
        fleet.reset(T0 - 50 * SECOND + number * SECOND)


def forged(fleet: Fleet, **fields: Any) -> None:
    fleet.reset(T0 - 25 * SECOND, sent=False, **fields)


def evidence(fleet: Fleet) -> list[str | None]:
    fleet.join()
    return [row[0] for row in fleet.rows("unsent", "evidence")]


def test_not_sent_by_a_host_that_recorded_everything(fleet: Fleet) -> None:
    usual(fleet)
    forged(fleet)
    healthy(fleet, "a", "10.0.0.1")
    assert evidence(fleet) == ["not-sent"]


def test_without_health_records_nothing_is_said(fleet: Fleet) -> None:
    usual(fleet)
    forged(fleet)
    assert evidence(fleet) == [None]


@pytest.mark.parametrize("more", [{"events_lost": 1}, {"counted": 1000}, {"counted": None}, {"covered_ns": SECOND},
                                  {"filtered": True}, {"boot": None}])
def test_a_host_with_losses_proves_nothing(fleet: Fleet, more: dict[str, Any]) -> None:
    usual(fleet)
    forged(fleet)
    healthy(fleet, "a", "10.0.0.1", **{name: value for name, value in more.items() if name != "boot"})
    if "boot" in more:  # The health record of that time is missing.
        fleet.lines = [line for line in fleet.lines if line["kind"] != "health" or line["ts"] != T0 - 20 * SECOND]
    assert evidence(fleet) == [None]


def test_a_record_that_did_not_come(fleet: Fleet) -> None:
    """The sender wrote it, its count shows that, but the lake has not got it."""
    usual(fleet)
    fleet.reset(T0 - 25 * SECOND)
    healthy(fleet, "a", "10.0.0.1")
    lost = next(line for line in fleet.lines if line["kind"] == "sent" and line["ts"] == T0 - 25 * SECOND)
    fleet.lines.remove(lost)
    assert evidence(fleet) == [None]


def test_a_merged_record_stands_for_it(fleet: Fleet) -> None:
    usual(fleet)
    forged(fleet)
    healthy(fleet, "a", "10.0.0.1")
    fleet.lines.append(record(host="a", ts=T0 - 26 * SECOND, last_ts=T0 - 24 * SECOND, count=50, mono_ns=None, seq=None, ack=None,
                              flags=None, ttl=None, src=None, sport=None, dst=None, dport=None))
    assert evidence(fleet) == [None]


def test_a_path_on_which_no_number_survives(fleet: Fleet) -> None:
    """Something between the two changes sequence numbers: nothing matches, and that proves nothing."""
    for number in range(10):
        fleet.reset(T0 - 50 * SECOND + number * SECOND, received={"seq": 5_000_000 + number})
    healthy(fleet, "a", "10.0.0.1")
    assert evidence(fleet) == [None] * 10


def test_a_clock_that_is_set_meanwhile(fleet: Fleet) -> None:
    usual(fleet)
    for number in range(5):
        fleet.reset(T0 - 30 * SECOND + number * SECOND, delay=5 * SECOND)
    healthy(fleet, "a", "10.0.0.1")
    assert evidence(fleet) == [None] * 5


def test_two_hosts_with_one_address(fleet: Fleet) -> None:
    """Both must have recorded everything."""
    usual(fleet)
    fleet.reset(T0 - 50 * SECOND, sender="c")
    forged(fleet)
    healthy(fleet, "a", "10.0.0.1")
    assert evidence(fleet) == [None]


def test_a_sender_outside_the_fleet(fleet: Fleet) -> None:
    usual(fleet)
    forged(fleet, src="203.0.113.7", ttl=40)
    healthy(fleet, "a", "10.0.0.1")
    assert evidence(fleet) == [None]


def test_another_distance(fleet: Fleet) -> None:
    """From where ten others came with TTL 60, or where another RST of the connection did."""
    usual(fleet)
    forged(fleet, received={"ttl": 51})
    forged(fleet, dport=30_001, received={"ttl": 61, "src": "172.16.0.1"})
    fleet.reset(T0 - 25 * SECOND, dport=30_001, received={"src": "172.16.0.1"})
    assert evidence(fleet) == ["distance", "distance"]


def test_behind_a_service_address(fleet: Fleet) -> None:
    """Who is behind an address that is nobody's own shows in what the receiver itself sent on that connection, or in others from
    the same address and port."""
    usual(fleet)
    fleet.reset(T0 - 20 * SECOND, sender="b", receiver="a", src="10.0.0.2", sport=5555, dst="172.16.0.1", dport=8006,
                received={"dst": "10.0.0.1"})
    forged(fleet, src="172.16.0.1", sport=8006, dst="10.0.0.2", dport=5555)
    for number in range(3):
        fleet.reset(T0 - 40 * SECOND + number, sport=8007, received={"src": "172.16.0.2"})
    forged(fleet, src="172.16.0.2", sport=8007)
    forged(fleet, src="172.16.0.2", sport=8008)
    healthy(fleet, "a", "10.0.0.1")
    assert evidence(fleet) == ["not-sent", "not-sent", None]


def test_a_distance_seen_too_seldom(fleet: Fleet) -> None:
    fleet.reset(T0 - 50 * SECOND)
    fleet.reset(T0 - 49 * SECOND)
    forged(fleet, received={"ttl": 51})
    assert evidence(fleet) == [None]


def test_a_path_with_two_distances(fleet: Fleet) -> None:
    usual(fleet)
    fleet.reset(T0 - 50 * SECOND, received={"ttl": 59})
    forged(fleet, received={"ttl": 59})
    assert evidence(fleet) == [None]


def test_plans_are_split_at_their_headers() -> None:
    steps = list(plan.parse("-- comment\n\n-- view: a\nSELECT 1\n-- why\nFROM x\n\n-- output: b\nSELECT 2\n"))
    assert [(step.kind, step.name, step.query) for step in steps] == [
        ("view", "a", "SELECT 1\nFROM x"), ("output", "b", "SELECT 2")]
    assert {"pairs", "unsent", "offsets"} <= {step.name for step in plan.load("join") if step.kind == "output"}
