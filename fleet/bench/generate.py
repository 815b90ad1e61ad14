#!/usr/bin/env python3
"""Makes the reset records of an invented fleet, with the truth of every pair, as a lake or as spool files.

    bench/generate.py OUT --rows 1e6 [--hosts 2000] [--seconds 3600] [--clock-ms 50] [--loss 0.01] [--reuse 0.02] [--spool]

Writes OUT/lake/records (or, with --spool, OUT/spool/*.ndjson) and OUT/truth.parquet: id, connection (-1: injected).

Model. Some services have many hosts, most have few; a client anywhere resets, or is reset. 10 % of the peers are outside the
fleet. Half a percent of what is received was injected: a tuple that exists, other numbers, another distance. A quarter of the
RSTs is translated at the source (a service address), a tenth at the destination (masquerading), a twentieth at both; neither
host knows. Clocks are uniform within --clock-ms either way; one-way delays are log-normal around half a millisecond. 12 % of
the RSTs come as 2 to 4 identical ones. --reuse of the connections are followed, within a second, by another one with the same
addresses and ports. A scanner asks with the same numbers everywhere, half of it through masquerading, asks some twice within a
second, and once 3,000 ports within five seconds.

Loss. --loss of the records never comes, at either end: three in four of them are lost on their way to the lake, which a host's
count of what it wrote shows; the others when the kernel's events were lost, which its health record says. --no-health leaves the
health records out.
"""

from __future__ import annotations

import argparse
import os
import sys

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SECOND = 10**9
BEGIN = 1_795_000_000 // 3600 * 3600 * SECOND  # 2026-11-18 10:00 UTC
PERIOD = 10 * SECOND  # of health records
SERVICES = 200
CAUSES = ["closed-port", "stale-connection", "abort-on-close", "linger-zero", "data-after-close", "accept-queue-overflow",
          "keepalive-timeout", "netfilter-reject", "socket-destroyed", "user-timeout"]
CHUNK = 1_000_000  # connections at once


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--rows", type=float, default=1e6)
    parser.add_argument("--hosts", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--clock-ms", type=float, default=50)
    parser.add_argument("--loss", type=float, default=0.01)
    parser.add_argument("--reuse", type=float, default=0.02)
    parser.add_argument("--injected", type=float, default=0.005)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-health", action="store_true")
    parser.add_argument("--spool", action="store_true")
    Fleet(parser.parse_args()).write()


class Fleet:
    def __init__(self, options: argparse.Namespace) -> None:
        self.o = options
        self.rng = rng = np.random.default_rng(options.seed)
        hosts = options.hosts
        self.skew = rng.uniform(-options.clock_ms, options.clock_ms, hosts) * 1e6
        self.skew = self.skew.astype(np.int64)
        self.booted = rng.integers(10**14, 10**15, hosts)  # monotonic clock at BEGIN
        self.names = np.array([f"node-{i:05d}" for i in range(hosts)])
        self.ports = rng.choice([80, 443, 8080, 5432, 6379, 9092, 3306, 50051], SERVICES)
        weight = 1 / np.arange(1, SERVICES + 1) ** 1.1
        self.weight = weight / weight.sum()
        self.causes = np.cumsum(rng.dirichlet(np.ones(len(CAUSES)) * 0.6, SERVICES), axis=1)
        self.homes = [rng.integers(0, hosts, max(2, int(hosts * w * 3) + 2)) for w in self.weight]
        self.windows = options.seconds * SECOND // PERIOD + 2
        self.written = np.zeros((hosts, self.windows), np.int64)
        # A host loses events for a whole period, or not at all.
        self.losing = rng.random((hosts, self.windows)) < options.loss / 4
        self.names_of_services = np.array([f"svc-{i}" for i in range(SERVICES)] + ["client"])

    def write(self) -> None:
        o = self.o
        self.lake = f"{o.out}/lake"
        os.makedirs(f"{o.out}/spool" if o.spool else self.lake, exist_ok=True)
        self.truth: list[pa.Table] = []
        self.totals = dict(sent=0, received=0, injected=0)
        connections = int(o.rows / 2.22)
        base = 0
        while base < connections:
            count = min(CHUNK, connections - base)
            self.chunk(base, count)
            base += count
        if not o.no_health:
            self.health()
        pq.write_table(pa.concat_tables(self.truth), f"{o.out}/truth.parquet")
        print(", ".join(f"{value} {name}" for name, value in self.totals.items()), file=sys.stderr)

    def chunk(self, base: int, n: int) -> None:
        rng, o = self.rng, self.o
        service = rng.choice(SERVICES, n, p=self.weight)
        home = np.zeros(n, np.int64)
        for one in np.unique(service):
            mask = service == one
            home[mask] = rng.choice(self.homes[one], mask.sum())
        client = rng.integers(0, o.hosts, n)
        by_server = rng.random(n) < 0.7
        a, b = np.where(by_server, home, client), np.where(by_server, client, home)
        server_ip, client_ip = ip(10, home * 256 + service), ip(11, client * 256 + rng.integers(0, 30, n))
        server_port, client_port = self.ports[service], rng.integers(32768, 61000, n)
        t = (rng.random(n) * o.seconds * SECOND).astype(np.int64)
        seq, ack = rng.integers(0, 1 << 32, n), rng.integers(0, 1 << 32, n)
        kind = rng.random(n)
        plain, refused = kind < 0.35, (kind >= 0.35) & (kind < 0.70)
        ack[plain], seq[refused] = 0, 0
        flags = np.where(plain, 4, 20)
        cause = (rng.random((n, 1)) > self.causes[service]).sum(1).clip(0, len(CAUSES) - 1)
        cause[refused & (rng.random(n) < 0.8)] = 0
        # The deploy: svc-3 aborts more often in the second half.
        moved = (service == 3) & (rng.random(n) < 0.5)
        t[moved] = ((0.5 + rng.random(moved.sum()) / 2) * o.seconds * SECOND).astype(np.int64)
        cause[moved] = 2
        nat = rng.random(n)
        dnat, snat = (nat < 0.25) & by_server | (nat < 0.05), (nat >= 0.25) & (nat < 0.35) | (nat < 0.05)
        outside = rng.random(n) < 0.10

        # The same addresses and ports again within a second: what they share is copied from the one before.
        again = np.flatnonzero((rng.random(n) < o.reuse) & (np.arange(n) > 0))
        again = again[np.r_[True, np.diff(again) > 1]]
        for column in (service, home, client, by_server, a, b, server_ip, client_ip, server_port, client_port, dnat, snat, outside):
            column[again] = column[again - 1]
        t[again] = t[again - 1] + rng.integers(10**6, 10**9, len(again))

        source, dest = np.where(by_server, server_ip, client_ip), np.where(by_server, client_ip, server_ip)
        sport, dport = np.where(by_server, server_port, client_port), np.where(by_server, client_port, server_port)
        scan = rng.random(n) < 0.005
        wave = np.flatnonzero(scan)[:3000] if base == 0 else np.array([], int)
        t[wave] = int(o.seconds * SECOND * 0.3) + rng.integers(0, 5 * SECOND, len(wave))
        a[scan], b[scan] = rng.integers(0, o.hosts, scan.sum()), 7
        source[scan], dest[scan] = ip(10, a[scan] * 256 + 255), ip(11, np.full(scan.sum(), 7 * 256 + 99))
        sport[scan], dport[scan] = rng.integers(1, 1024, scan.sum()), 44444
        seq[scan], ack[scan], flags[scan], cause[scan], outside[scan] = 0, 0xDEADBEEF, 20, 0, False
        dnat &= ~scan
        snat = np.where(scan, nat < 0.5, snat)
        asked = np.flatnonzero(scan)
        twice = asked[1:][rng.random(max(0, len(asked) - 1)) < 0.1]
        for column in (a, source, sport, snat):
            column[twice] = column[asked[np.searchsorted(asked, twice) - 1]]
        t[twice] = t[asked[np.searchsorted(asked, twice) - 1]] + rng.integers(10**8, 9 * 10**8, len(twice))

        # What the receiver sees as the source, and the sender as the destination.
        hidden = rng.integers(1024, 65535, n)
        r_source = np.where(dnat, ip(172, (16 << 16) + service), source)
        r_sport = np.where(dnat & ~by_server, hidden, sport)
        s_dest = np.where(snat, ip(192, (168 << 16) + b % 64), dest)
        s_dport = np.where(snat, hidden, dport)
        s_dest = np.where(outside, ip(203, rng.integers(0, 1 << 20, n)), s_dest)
        # One connection after another is translated alike; half of what the scanner asks twice is not.
        again = again[~scan[again] & ~scan[again - 1]]
        for column in (r_sport, s_dport, s_dest):
            column[again] = column[again - 1]
        alike = twice[::2]
        s_dport[alike] = s_dport[asked[np.searchsorted(asked, alike) - 1]]

        copies = np.where((rng.random(n) < 0.12) & ~refused & ~scan, rng.integers(2, 5, n), 1)
        i = np.repeat(np.arange(n), copies)
        place = np.arange(len(i)) - np.repeat(np.cumsum(copies) - copies, copies)
        sent_at = t[i] + place * rng.integers(20_000, 5_000_000, len(i))
        got_at = sent_at + rng.lognormal(13.1, 0.8, len(i)).astype(np.int64)
        ip_id = np.where(refused | plain, 0, rng.integers(0, 65536, n))[i]
        hops = 1 + (a * 7919 + b * 104729) % 12

        kept = self.keep(a[i], sent_at)
        ii = i[kept]
        self.save("sent", base, (base + ii).astype(np.int64), np.flatnonzero(kept), a[ii], sent_at[kept], source[ii], sport[ii],
                  s_dest[ii], s_dport[ii], seq[ii], ack[ii], flags[ii], np.full(len(ii), 64), ip_id[kept],
                  cause[ii], np.where(by_server[ii], service[ii], SERVICES))

        inside = ~outside[i]
        kept = self.keep(b[i], got_at, inside)
        ir = i[kept]
        injected = int(len(ir) * o.injected / (1 - o.injected))
        c = rng.choice(np.flatnonzero(~outside & ~scan), injected)
        new_ack = np.where(rng.random(injected) < 0.5, 0, rng.integers(0, 1 << 32, injected))
        forged_at = t[c] + rng.integers(0, SECOND, injected)
        kept_forged = self.keep(b[c], forged_at)
        c, new_ack, forged_at = c[kept_forged], new_ack[kept_forged], forged_at[kept_forged]
        injected = len(c)
        self.totals["injected"] += injected
        self.save("received", base,
                  np.r_[base + ir, np.full(injected, -1)].astype(np.int64),
                  np.r_[np.flatnonzero(kept), 4 * n + np.arange(injected)],
                  np.r_[b[ir], b[c]], np.r_[got_at[kept], forged_at], np.r_[r_source[ir], r_source[c]],
                  np.r_[r_sport[ir], r_sport[c]], np.r_[dest[ir], dest[c]], np.r_[dport[ir], dport[c]],
                  np.r_[seq[ir], rng.integers(0, 1 << 32, injected)], np.r_[ack[ir], new_ack],
                  np.r_[flags[ir], np.where(new_ack == 0, 4, 20)],
                  np.r_[64 - hops[ir], 64 - rng.integers(1, 13, injected)],
                  np.r_[ip_id[kept], rng.integers(0, 65536, injected)], np.r_[cause[ir], cause[c]],
                  np.r_[np.where(by_server[ir], SERVICES, service[ir]), np.where(by_server[c], SERVICES, service[c])])

    def keep(self, host: np.ndarray, at: np.ndarray, those: np.ndarray | None = None) -> np.ndarray:
        """Which records come: not those that the kernel's events were lost of, nor those lost on the way."""
        window = (at // PERIOD).clip(0, self.windows - 1)
        seen = ~self.losing[host, window]
        if those is not None:
            seen &= those
        np.add.at(self.written, (host[seen], window[seen]), 1)
        return seen & (self.rng.random(len(host)) >= self.o.loss * 3 / 4)

    def save(self, kind: str, base: int, connection: np.ndarray, number: np.ndarray, host: np.ndarray, at: np.ndarray,
             source: np.ndarray, sport: np.ndarray, dest: np.ndarray, dport: np.ndarray, seq: np.ndarray, ack: np.ndarray,
             flags: np.ndarray, ttl: np.ndarray, ip_id: np.ndarray, cause: np.ndarray, service: np.ndarray) -> None:
        identity = identities(base * 16 + number * 2 + (kind == "received"))
        self.truth.append(pa.table({"id": identity, "connection": connection}))
        self.totals[kind] += len(identity)
        table = pa.table({
            "id": identity, "record_id": record_ids(identity), "ts": BEGIN + at + self.skew[host],
            "mono_ns": self.booted[host] + at, "host": pick(self.names, host), "kind": pa.array([kind] * len(identity)),
            "src": addresses(source), "sport": sport, "dst": addresses(dest), "dport": dport, "seq": seq, "ack": ack,
            "flags": pick(np.array(["R", "RA"]), flags // 16), "ttl": ttl, "ip_id": ip_id, "window": np.zeros_like(ttl),
            "cause": pick(np.array(CAUSES), cause),
            "certainty": pa.array(["proven" if kind == "sent" else "inferred"] * len(identity)),
            "service": pick(self.names_of_services, service), "comm": pick(self.names_of_services, service),
            "pid": 1000 + service})
        self.store(kind, table, f"{base:010d}")

    def health(self) -> None:
        hosts, windows = self.o.hosts, self.windows
        host, window = np.repeat(np.arange(hosts), windows), np.tile(np.arange(windows), hosts)
        end, counted = (window + 1) * PERIOD + 6 * SECOND, BEGIN + window * PERIOD + self.skew[host]
        identity = identities((1 << 50) + np.arange(len(host)))
        table = pa.table({
            "id": identity, "record_id": record_ids(identity), "ts": BEGIN + end + self.skew[host],
            "mono_ns": self.booted[host] + end, "host": pick(self.names, host), "kind": pa.array(["health"] * len(host)),
            "covered_ns": np.full(len(host), PERIOD),
            "addresses": pa.array([[f"10.{h >> 8}.{h & 255}.255"] for h in host.tolist()]),
            "events_lost": np.where(self.losing[host, window], 3, 0), "resets": self.written[host, window],
            "counted": self.written[host, window], "counted_from": counted - 1, "counted_to": counted + PERIOD - 1})
        self.store("health", table, "health")

    def store(self, kind: str, table: pa.Table, name: str) -> None:
        if self.o.spool:
            constant = ("'rst-record/1' AS schema, 'rst-analyze 0.1.0' AS agent, md5(host) AS host_id,"
                        " '5b9fb213-8dd0-4602-930e-0128fbdea579' AS boot_id")
            if kind != "health":
                constant += (", 'close' AS category, 'TCP_ABORT_ON_CLOSE' AS reason, 'ESTABLISHED' AS state, '/usr/bin/'||comm AS exe,"
                             " 'owner' AS role, 0 AS uid, 4026532177 AS netns,"
                             " 'The application closed the socket while received data was still unread.' AS summary")
            duckdb.connect().execute(
                f"COPY (SELECT {constant}, * EXCLUDE (id) FROM table)"
                f" TO '{self.o.out}/spool/{kind}-{name}.ndjson' (FORMAT json)").fetchall()
            return
        hours = np.asarray(table["ts"]) // (3600 * SECOND)
        for hour in np.unique(hours):
            named = np.datetime_as_string(np.datetime64(int(hour), "h")).replace("-", "").replace("T", "")
            directory = f"{self.lake}/records/hour={named}/kind={kind}"
            os.makedirs(directory, exist_ok=True)
            pq.write_table(table.filter(pa.array(hours == hour)), f"{directory}/{name}.parquet", compression="zstd",
                           row_group_size=100_000)


def identities(number: np.ndarray) -> np.ndarray:
    """Distinct 64-bit numbers that look like a hash: a multiplication by an odd number loses nothing."""
    return (number.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)).view(np.int64)


def record_ids(identity: np.ndarray) -> pa.Array:
    """The record_id with that first half (the lake's id is that half less 2^63)."""
    return pa.array([f"{(value + (1 << 63)):016x}0000000000000000" for value in identity.tolist()])


def ip(first: int, rest: np.ndarray) -> np.ndarray:
    return (first << 24) | rest.astype(np.int64)


def addresses(values: np.ndarray) -> pa.Array:
    unique, index = np.unique(values, return_inverse=True)
    texts = [f"{v >> 24 & 255}.{v >> 16 & 255}.{v >> 8 & 255}.{v & 255}" for v in unique.tolist()]
    return pick(np.array(texts), index)


def pick(names: np.ndarray, index: np.ndarray) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), pa.array(names)).dictionary_decode()


if __name__ == "__main__":
    main()
