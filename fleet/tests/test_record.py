from __future__ import annotations

import json

import pytest
from conftest import T0, record

from rst_fleet import lake
from rst_fleet.record import FIELDS, why_bad


def test_good_records_are_good() -> None:
    for kind in ("sent", "received", "forwarded", "unknown", "health"):
        assert why_bad(json.dumps(record(kind)).encode()) is None
    merged = record(count=5, last_ts=T0, src=None, sport=None, dst=None, dport=None, seq=None, ack=None)
    assert why_bad(json.dumps(merged).encode()) is None


def test_fields_of_a_later_agent_are_no_fault() -> None:
    assert why_bad(json.dumps(record(weather="fine", nested={"a": [1]})).encode()) is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "not JSON"), (b"{", "not JSON"), (b"\xff", "not JSON"), (b"[" * 100_000, "not JSON"), (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"), (b"1" * 10_000, "not JSON"), (b"{}", "no schema"), (b" " * (2 << 20), "longer than 1 MiB"),
        (b'{"schema":"rst-record/2"}', "another schema than rst-record/1"),
        (b'{"schema":"rst-record/1","schema":"rst-record/1"}', "a field twice"),
    ],
)
def test_lines_that_are_no_records(line: bytes, why: str) -> None:
    assert why_bad(line) == why


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"ts": None}, "no ts"), ({"host": None}, "no host"), ({"src": None}, "no src"), ({"cause": None}, "no cause"),
        ({"count": 3}, "no last_ts"), ({"counted_to": -(2**62)}, "counted_to is out of range"),
        ({"covered_ns": 2**62}, "covered_ns is out of range"), ({"ts": 5}, "ts is not between 2000 and 2100"),
        ({"ts": 2**70}, "ts is not between 2000 and 2100"),
        ({"sport": -1}, "sport is out of range"), ({"dport": 65536}, "dport is out of range"), ({"seq": 2**32}, "seq is out of range"),
        ({"pid": 2**63}, "pid is out of range"), ({"cookie": 10**400}, "cookie is out of range"), ({"ts": "now"}, "ts is of another type"),
        ({"seq": [1]}, "seq is of another type"), ({"candidates": "x"}, "candidates is of another type"),
        ({"kind": "lost"}, "kind is none of sent, received, forwarded, unknown, health"),
        ({"record_id": "x" * 32}, "record_id is not 32 hexadecimal digits"), ({"record_id": 5}, "record_id is not 32 hexadecimal digits"),
        ({"settled": "no"}, "settled is of another type"), ({"pid": float("nan")}, "pid is out of range"),
    ],
)
def test_fields_that_cannot_be(fields: dict[str, object], why: str) -> None:
    assert why_bad(json.dumps(record(**fields)).encode()) == why


def test_every_documented_field_is_known() -> None:
    """What the agent may write and what shippers may add: docs/schema/rst-record-1.schema.json is the agent's part."""
    from pathlib import Path

    schema = json.loads((Path(__file__).parents[2] / "docs/schema/rst-record-1.schema.json").read_text())
    assert set(FIELDS) - set(schema["properties"]) == {"workload", "service", "version"}
    assert set(schema["properties"]) <= set(FIELDS), "add the new field to FIELDS in fleet/src/rst_fleet/record.py"


def test_hours_and_times() -> None:
    assert lake.hour_name(1_795_000_000 * 10**9) == "2026111811"
    assert lake.hour_begin("2026111811") == 1_794_999_600 * 10**9
    assert lake.neighbours("2026010100") == ("2025123123", "2026010100", "2026010101")
    assert lake.hour_in_path("/x/records/hour=2026111811/kind=sent/a.parquet") == "2026111811"
    for text in ("2026-11-18T11:06:40Z", "2026-11-18 12:06:40+01:00", "@1795000000", "2026-11-18 11:06:40"):
        assert lake.parse_time(text) == 1_795_000_000 * 10**9
    assert lake.parse_time("@1795000000.25") == 1_795_000_000_250_000_000
    assert lake.parse_time("2026-11-18T11:06:40.000001Z") == 1_795_000_000_000_001_000
    assert lake.parse_hours("2026111811..2026111813") == ("2026111811", "2026111813")
    for text in ("", "tomorrow", "@x", "2026111899", "2026111813..2026111811"):
        with pytest.raises(ValueError):
            lake.parse_hours(text)
