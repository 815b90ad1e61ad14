"""Runs the join of an hour (sql/join.sql) on an engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from . import lake as paths
from .engines import Engine
from .plan import load
from .record import COLUMNS, FLAG, INTEGER, TEXT

#: Columns of what a join writes.
OUTPUTS: dict[str, dict[str, str]] = {
    "offsets": {"host": TEXT, "by_received": "DOUBLE", "by_sent": "DOUBLE", "received_pairs": INTEGER, "sent_pairs": INTEGER},
    "pairs": {
        "received_id": INTEGER, "sent_id": INTEGER, "received_host": TEXT, "sent_host": TEXT, "ts": INTEGER, "dt": INTEGER,
        "ttl": INTEGER, "sent_ttl": INTEGER, "ends": INTEGER, "residual": "DOUBLE"},
    "unsent": {
        "id": INTEGER, "host": TEXT, "ts": INTEGER, "src": TEXT, "sport": INTEGER, "dst": TEXT, "dport": INTEGER,
        "ttl": INTEGER, "heavy": FLAG, "sender": TEXT, "senders": INTEGER, "complete": INTEGER, "usual_ttl": INTEGER,
        "evidence": TEXT},
}

#: What the join reads of a record.
_TUPLE = ("src", "sport", "dst", "dport", "seq", "ack", "flags", "ttl")
_READ = {
    "sent": ("id", "host", "cluster", "ts", "last_ts", "count", *_TUPLE),
    "received": ("id", "host", "cluster", "ts", "count", *_TUPLE),
    "health": ("id", "host", "cluster", "ts", "covered_ns", "addresses", "events_lost", "filtered", "counted", "counted_from",
               "counted_to"),
    "other": ("host", "ts", "count"),
}

#: How far from its hour a record may be that the join reads, nanoseconds: health records count up to half a minute.
_NEAR = 120_000_000_000


@dataclass
class Joined:
    """What the join of an hour found."""

    hour: str
    seconds: float = 0
    counts: dict[str, int] = field(default_factory=dict)


def hours(engine: Engine, lake: str, first: str | None = None, last: str | None = None) -> list[str]:
    """The hours of a lake that have records, in order, within the given ones."""
    found = {hour for path in engine.glob(paths.records(lake)) if (hour := paths.hour_in_path(path))}
    return sorted(hour for hour in found if (first is None or hour >= first) and (last is None or hour <= last))


def join_hour(engine: Engine, lake: str, hour: str, progress: Callable[[str, float], None] | None = None) -> Joined:
    """Joins one hour and writes offsets, pairs and unsent of it, replacing what was there."""
    started = time.monotonic()
    begin = paths.hour_begin(hour)
    parameters = {"begin": begin, "end": begin + paths.HOUR}
    joined = Joined(hour)
    try:
        for kind, columns in _READ.items():
            _open_around(engine, lake, kind, hour, columns, parameters)
        for step in load("join"):
            before = time.monotonic()
            if step.kind == "view":
                engine.view(step.name, step.query, parameters)
            elif step.kind == "step":
                engine.table(step.name, step.query, parameters)
            else:
                directory = paths.output(lake, step.name, hour)
                engine.write(step.query, parameters, directory)
                engine.files(step.name, engine.glob(directory + "/*.parquet"), OUTPUTS[step.name])
            if progress and step.kind != "view":
                progress(step.name, time.monotonic() - before)
        counted = engine.rows(
            "SELECT (SELECT count(*) FROM all_received), (SELECT count(*) FROM pairs), (SELECT count(*) FROM unsent),"
            " (SELECT count(*) FROM unsent WHERE evidence IS NOT NULL)", {}).rows[0]
        joined.counts = dict(zip(("received", "pairs", "unsent", "injected"), counted, strict=True))
    finally:
        engine.forget()
    joined.seconds = time.monotonic() - started
    return joined


def _open_around(
    engine: Engine, lake: str, kind: str, hour: str, columns: tuple[str, ...], parameters: dict[str, int]
) -> None:
    """Makes the view KIND_records over an hour and what is near it, which is looked for only once."""
    before, _, after = paths.neighbours(hour)
    open_records(engine, lake, kind, (before, after), columns)
    engine.table(
        f"{kind}_near", f"SELECT * FROM {kind}_records WHERE ts >= :begin - {_NEAR} AND ts < :end + {_NEAR}", parameters)
    open_records(engine, lake, kind, (hour,), columns, f"{kind}_hour")
    engine.view(f"{kind}_records", f"SELECT * FROM {kind}_hour UNION ALL SELECT * FROM {kind}_near", {})


def open_records(
    engine: Engine, lake: str, kind: str, hours: Iterable[str], columns: Iterable[str], name: str | None = None
) -> None:
    """Makes the view KIND_records, or the one with the given name, over the records of some hours."""
    kinds = ("forwarded", "unknown") if kind == "other" else (kind,)
    files = [path for hour in hours for each in kinds for path in engine.glob(paths.records(lake, hour, each))]
    engine.files(name or f"{kind}_records", files, {column: COLUMNS[column] for column in columns})
