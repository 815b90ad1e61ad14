from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))
sys.path.insert(0, str(Path(__file__).parent.parent / "bench"))

from rst_fleet.engines.duck import DuckEngine

T0 = 1_795_000_000_000_000_000  # 2026-11-18 11:06:40 UTC


@pytest.fixture
def engine() -> Iterator[DuckEngine]:
    engine = DuckEngine("600MB", 2)
    yield engine
    engine.close()


_number = 0


def record(kind: str = "sent", **fields: Any) -> dict[str, Any]:
    """A record that is right; fields that are None are left out."""
    global _number
    _number += 1
    base: dict[str, Any] = {
        "schema": "rst-record/1", "record_id": f"{_number * 0x9E3779B97F4A7C15 % 2**64:016x}{_number:016x}", "ts": T0,
        "mono_ns": 10**12, "host": "a", "host_id": "1", "boot_id": "2", "agent": "rst-analyze 0.1.0", "kind": kind}
    if kind == "health":
        base |= {"covered_ns": 10**10, "addresses": ["10.0.0.1"], "events_lost": 0, "resets": 0}
    else:
        base |= {
            "src": "10.0.0.1", "sport": 80, "dst": "10.0.0.2", "dport": 40000, "seq": 1000, "ack": 2000, "flags": "RA", "ttl": 64,
            "cause": "abort-on-close", "category": "close", "certainty": "proven", "summary": "Closed."}
    return {name: value for name, value in (base | fields).items() if value is not None}


def write(path: Path, lines: list[dict[str, Any] | str | bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        for line in lines:
            if isinstance(line, dict):
                line = json.dumps(line)
            file.write((line.encode() if isinstance(line, str) else line) + b"\n")
    return path


def stored(engine: DuckEngine, lake: Path, columns: str = "*") -> list[tuple[Any, ...]]:
    files = engine.glob(f"{lake}/records/*/*/*.parquet")
    if not files:
        return []
    return engine.run(f"SELECT {columns} FROM read_parquet({files}, union_by_name = true, hive_partitioning = false) ORDER BY ALL")
