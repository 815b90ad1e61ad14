"""The report of two recordings (`report HOSTA/ HOSTB/`) and the fleet's join agree about the same RSTs.

The records are made of the report that the program gives of each recording alone. The server's clock is three seconds ahead, more
than the join tolerates: the records have it 0.7 s behind. Both recordings are complete, and so are the health records.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import record, write

from rst_fleet import lake as paths
from rst_fleet.engines.duck import DuckEngine
from rst_fleet.ingest import ingest
from rst_fleet.join import hours, join_hour

REPOSITORY = Path(__file__).parents[2]
RECORDINGS = REPOSITORY / "fixtures/hosts/two-hosts"
PROGRAM = os.environ.get("RST_ANALYZE", str(REPOSITORY / ".build/debug/rst-analyze"))
SECOND = 10**9
CLOCKS = {"client": 0, "server": -3_700_000_000}

pytestmark = pytest.mark.skipif(not os.access(PROGRAM, os.X_OK), reason="rst-analyze is not built")


def nanoseconds(text: str) -> int:
    return paths.parse_time(text[:19] + "Z") + int((text[20:-1] + "000000000")[:9])


def records(host: str) -> list[dict[str, Any]]:
    report = json.loads(subprocess.run(
        [PROGRAM, "report", "--format", "json", str(RECORDINGS / host)], capture_output=True, check=True).stdout)
    lines = [
        record(reset["direction"], host=host, ts=nanoseconds(reset["time"]) + CLOCKS[host], src=reset["src"], sport=reset["src_port"],
               dst=reset["dst"], dport=reset["dst_port"], seq=reset["seq"], ack=reset["ack"], flags=reset["flags"], ttl=None,
               cause=reset["cause"], category=reset["category"], certainty=reset["certainty"])
        for reset in report["resets"]]
    assert {line["kind"] for line in lines} == {"sent", "received"}
    own = {line["src"] if line["kind"] == "sent" else line["dst"] for line in lines}
    middle = lines[0]["ts"] // SECOND * SECOND
    for end in range(middle - 15 * SECOND, middle + 30 * SECOND, 10 * SECOND):
        counted = sum(end - 10 * SECOND < line["ts"] <= end for line in lines if line["kind"] != "health")
        lines.append(record("health", host=host, ts=end, covered_ns=10 * SECOND, addresses=sorted(own), counted=counted,
                            counted_from=end - 10 * SECOND, counted_to=end))
    return lines


def test_they_agree(engine: DuckEngine, tmp_path: Path) -> None:
    entries = json.loads((RECORDINGS / "expected.json").read_text())["resets"]
    both = {(e["seq"], e["ack"]) for e in entries if e["cause"] != "injected" and e.get("receiver")}
    injected = {(e["seq"], e["ack"]) for e in entries if e["cause"] == "injected"}
    assert len(both) == 16 and len(injected) == 4

    write(tmp_path / "a.ndjson", [line for host in CLOCKS for line in records(host)])
    lake = str(tmp_path / "lake")
    assert ingest(engine, [str(tmp_path / "a.ndjson")], lake).bad.total() == 0
    for hour in hours(engine, lake):
        join_hour(engine, lake, hour)

    def numbers(output: str, identity: str, condition: str = "true") -> set[tuple[int, int]]:
        return set(engine.run(
            f"SELECT r.seq, r.ack FROM '{lake}/{output}/*/*.parquet' o JOIN read_parquet('{lake}/records/*/kind=received/*.parquet',"
            f" hive_partitioning = false) r ON r.id = o.{identity} WHERE {condition}"))

    assert numbers("pairs", "received_id") == both
    assert numbers("unsent", "id") == injected
    assert numbers("unsent", "id", "evidence = 'not-sent'") == injected
