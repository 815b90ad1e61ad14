"""The record `rst-record/1` (docs/records.md): its fields, and what a line must be to get into the lake.  Pure."""

from __future__ import annotations

import json
import re
from typing import Any

SCHEMA = "rst-record/1"
KINDS = ("sent", "received", "forwarded", "unknown", "health")

# Types of the lake; both engines have them. `id` is not in the line: it is the first half of record_id.
TEXT, INTEGER, FLAG, TEXTS = "VARCHAR", "BIGINT", "BOOLEAN", "VARCHAR[]"

#: Every field of a line, in the order of the lake's columns. What a shipper adds comes last.
FIELDS: dict[str, str] = {
    "schema": TEXT, "record_id": TEXT, "revision": INTEGER, "ts": INTEGER, "mono_ns": INTEGER, "last_ts": INTEGER,
    "count": INTEGER, "host": TEXT, "host_id": TEXT, "boot_id": TEXT, "cluster": TEXT, "agent": TEXT, "kind": TEXT,
    "src": TEXT, "sport": INTEGER, "dst": TEXT, "dport": INTEGER,
    "local_src": TEXT, "local_sport": INTEGER, "local_dst": TEXT, "local_dport": INTEGER,
    "seq": INTEGER, "ack": INTEGER, "flags": TEXT, "ttl": INTEGER, "ip_id": INTEGER, "window": INTEGER,
    "cause": TEXT, "category": TEXT, "certainty": TEXT, "candidates": TEXTS, "reason": TEXT, "state": TEXT, "summary": TEXT,
    "pid": INTEGER, "comm": TEXT, "exe": TEXT, "role": TEXT, "uid": INTEGER,
    "receiver_pid": INTEGER, "receiver_comm": TEXT, "receiver_state": TEXT, "receiver_error": TEXT,
    "receiver_ignored": TEXT,
    "unit": TEXT, "container": TEXT, "container_name": TEXT, "pod": TEXT, "pod_name": TEXT, "netns": INTEGER, "cookie": INTEGER,
    "settled": FLAG, "open": TEXTS,
    "covered_ns": INTEGER, "addresses": TEXTS, "events_lost": INTEGER, "resets": INTEGER, "files_dropped": INTEGER, "filtered": FLAG,
    "counted": INTEGER, "counted_from": INTEGER, "counted_to": INTEGER,
    "namespace": TEXT, "workload": TEXT, "service": TEXT, "version": TEXT,
}

#: Columns of the lake's records and their types.
COLUMNS: dict[str, str] = {"id": INTEGER, **FIELDS}

REQUIRED = ("schema", "record_id", "ts", "host", "kind")
REQUIRED_OF_HEALTH = ("mono_ns", "covered_ns", "addresses", "events_lost", "resets")
REQUIRED_OF_RESETS = ("cause", "category", "certainty")
REQUIRED_OF_SINGLES = ("src", "sport", "dst", "dport")

#: 2000-01-01 and 2100-01-01 UTC, nanoseconds: a clock that says anything else was never set.
EARLIEST, LATEST = 946_684_800_000_000_000, 4_102_444_800_000_000_000

#: Lowest and highest values. No sum of a million of them exceeds 63 bits, nor does a difference of two times: both engines take
#: that for an error, and one host would end the join of all.
LIMITS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("sport", "dport", "local_sport", "local_dport", "ip_id", "window"), (0, 65535)),
    **dict.fromkeys(("seq", "ack"), (0, 2**32 - 1)), "ttl": (0, 255),
    **dict.fromkeys(("ts", "last_ts", "counted_from", "counted_to"), (EARLIEST, LATEST - 1)),
    **dict.fromkeys(("revision", "count", "events_lost", "resets", "files_dropped", "counted"), (0, 2**40)),
    "covered_ns": (0, 2**50),
}

LONGEST_LINE = 1 << 20

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_RECORD_ID = re.compile(r"[0-9a-f]{32}")


def why_bad(line: bytes) -> str | None:
    """Why a line cannot be a record, as a phrase; None if it can.

    A value of another type is fine where it can be read as the field's (a number in quotes), as the fast reader does, and
    fields that are not known are no fault: a later agent may write more.
    """
    if len(line) > LONGEST_LINE:
        return "longer than 1 MiB"
    try:
        value = json.loads(line, object_pairs_hook=_pairs)
    except (ValueError, RecursionError) as error:
        # ValueError includes what is not UTF-8 and integers of thousands of digits.
        return "a field twice" if isinstance(error, _Twice) else "not JSON"
    if not isinstance(value, dict):
        return "not a JSON object"
    schema = value.get("schema")
    if schema != SCHEMA:
        return "no schema" if schema is None else "another schema than rst-record/1"
    return _wrong_type(value) or _absent(value) or _out_of_range(value)


class _Twice(ValueError):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs if name in FIELDS]
        if len(names) != len(set(names)):
            raise _Twice
    return value


def _wrong_type(value: dict[str, Any]) -> str | None:
    for name, kind in FIELDS.items():
        field = value.get(name)
        if field is None:
            continue
        if kind == INTEGER:
            right = isinstance(field, int | float) or (isinstance(field, str) and _INTEGER.fullmatch(field) is not None)
        elif kind == FLAG:
            right = isinstance(field, bool)
        elif kind == TEXTS:
            right = isinstance(field, list)
        else:
            right = True
        if not right:
            return f"{name} is of another type"
    return None


def _absent(value: dict[str, Any]) -> str | None:
    needed = list(REQUIRED)
    if value.get("kind") == "health":
        needed += REQUIRED_OF_HEALTH
    else:
        needed += REQUIRED_OF_RESETS
        needed += ("last_ts",) if value.get("count") is not None else REQUIRED_OF_SINGLES
    for name in needed:
        if value.get(name) is None:
            return f"no {name}"
    return None


def _out_of_range(value: dict[str, Any]) -> str | None:
    if value["kind"] not in KINDS:
        return "kind is none of " + ", ".join(KINDS)
    if not isinstance(value["record_id"], str) or not _RECORD_ID.fullmatch(value["record_id"]):
        return "record_id is not 32 hexadecimal digits"
    if not EARLIEST <= float(value["ts"]) < LATEST:
        return "ts is not between 2000 and 2100"
    for name, kind in FIELDS.items():
        if kind == INTEGER and value.get(name) is not None:
            low, high = LIMITS.get(name, (-(2**63), 2**63 - 1))
            number = value[name] if isinstance(value[name], int) else float(value[name])
            # Written so that NaN is out of range.
            if not (low <= number <= high) or number == 2.0**63:
                return f"{name} is out of range"
    return None


def acceptable_sql() -> str:
    """A condition in SQL that only records which `why_bad` accepts fulfil, once a reader has given the fields their types."""
    present = [f"{name} IS NOT NULL" for name in REQUIRED]
    health = " AND ".join(f"{name} IS NOT NULL" for name in REQUIRED_OF_HEALTH)
    resets = " AND ".join(f"{name} IS NOT NULL" for name in REQUIRED_OF_RESETS)
    singles = " AND ".join(f"{name} IS NOT NULL" for name in REQUIRED_OF_SINGLES)
    ranges = [f'("{name}" IS NULL OR "{name}" BETWEEN {low} AND {high})' for name, (low, high) in LIMITS.items()]
    kinds = ", ".join(f"'{kind}'" for kind in KINDS)
    return " AND ".join([
        *present, f"schema = '{SCHEMA}'", f"kind IN ({kinds})",
        "length(record_id) = 32", "regexp_full_match(record_id, '[0-9a-f]*')", *ranges,
        f"CASE WHEN kind = 'health' THEN {health} ELSE {resets}"
        f" AND CASE WHEN count IS NULL THEN {singles} ELSE last_ts IS NOT NULL END END",
    ])
