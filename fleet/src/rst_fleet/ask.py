"""Questions to a joined lake: opens what a question reads, and runs its SQL (sql/ask_*.sql)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import lake as paths
from . import stats
from .engines import Engine, EngineError, Rows
from .join import OUTPUTS, hours, open_records
from .plan import Step, load

QUESTIONS = ("top", "who", "middlebox", "changed", "coverage")

_IDENTITY = ("id", "host", "ts", "count", "cause", "certainty", "service", "workload", "unit", "container", "comm")
_PERSON = (*_IDENTITY, "src", "sport", "dst", "dport", "pod", "pod_name", "container_name", "pid",
           "summary")
_COUNTED = ("host", "ts", "count")

#: What a question reads: kind of records, or output of the join: columns.
_READS: dict[str, dict[str, tuple[str, ...]]] = {
    "top": {"sent": _IDENTITY},
    "changed": {"sent": _IDENTITY},
    "who": {"sent": _PERSON, "received": (*_PERSON, "receiver_pid", "receiver_comm", "receiver_error"), "pairs": (), "unsent": ()},
    "middlebox": {"unsent": ()},
    "coverage": {
        "health": ("host", "ts", "covered_ns", "events_lost", "resets", "files_dropped", "filtered"),
        "sent": _COUNTED, "received": _COUNTED, "other": _COUNTED, "offsets": ()},
}


@dataclass
class Question:
    """A question, the hours it is about (names), and its parameters."""

    name: str
    first: str
    last: str
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> list[Step]:
        return load(f"ask_{self.name}")


def ask(engine: Engine, lake: str, question: Question) -> Rows:
    """The answer. Raises EngineError if the lake has no records of that time, or was not joined."""
    found = hours(engine, lake, question.first, question.last)
    if not found:
        raise EngineError(f"{lake}: no records from hour {question.first} to {question.last}")
    for source, columns in _READS[question.name].items():
        if source in OUTPUTS:
            files = [path for hour in found for path in engine.glob(paths.output(lake, source, hour) + "/*.parquet")]
            if not files:
                raise EngineError(f"{lake}: not joined yet; run rst-fleet join")
            engine.files(source, files, OUTPUTS[source])
        else:
            open_records(engine, lake, source, found, columns)
    try:
        for step in question.steps:
            if step.kind == "answer":
                rows = engine.rows(step.query, question.parameters)
                return _changes(rows, question.parameters) if question.name == "changed" else rows
            make = engine.table if step.kind == "step" else engine.view
            make(step.name, step.query, question.parameters)
        raise AssertionError("a question without an answer")
    finally:
        engine.forget()


def span(engine: Engine, lake: str, first: str | None, last: str | None) -> tuple[str, str]:
    """The first and the last hour of a lake within the given ones."""
    found = hours(engine, lake, first, last)
    if not found:
        raise EngineError(f"{lake}: no records" + (f" from hour {first} to {last}" if first else ""))
    return found[0], found[-1]


def bounds(engine: Engine, lake: str, first: str, last: str, kind: str = "sent") -> tuple[int, int] | None:
    """From when to when there are records of a kind in these hours, nanoseconds since 1970-01-01 UTC."""
    open_records(engine, lake, kind, hours(engine, lake, first, last), ("ts", "covered_ns"))
    begin, end = engine.rows(f"SELECT min(ts - coalesce(covered_ns, 0)), max(ts) FROM {kind}_records", {}).rows[0]
    engine.forget()
    return None if begin is None else (begin, end)


def _changes(rows: Rows, parameters: dict[str, Any]) -> Rows:
    """Adds rates and significance: most certain changes first."""
    since, minute = parameters["since"], 60e9
    minutes = (since - parameters["begin"]) / minute, (parameters["end"] - since) / minute
    values = []
    for _, _, before, after, before_squares, after_squares in rows.rows:
        spread = max(
            stats.dispersion(before, before_squares, minutes[0]), stats.dispersion(after, after_squares, minutes[1]))
        values.append(stats.p_value(before, minutes[0], after, minutes[1], spread))
    answer = []
    for (service, cause, before, after, *_), value in zip(rows.rows, stats.holm(values), strict=True):
        rates = before / minutes[0], after / minutes[1]
        answer.append((
            service, cause, int(before), int(after), round(rates[0], 3), round(rates[1], 3),
            round(rates[1] / rates[0], 2) if before else None, value, value < 0.05))
    answer.sort(key=lambda row: (row[7], -(row[2] + row[3]), row[:2]))
    columns = ("service", "cause", "before", "after", "per_minute_before", "per_minute_after", "times", "p", "significant")
    return Rows(columns, answer[: parameters["top"]])
