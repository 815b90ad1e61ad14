"""Writes answers as text, JSON or CSV.  Pure."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from typing import Any

from .engines import Rows

#: Columns that are times, nanoseconds since 1970-01-01 UTC: JSON has them as they are.
TIMES = {"seen_at", "hour", "first", "last"}
FORMATS = ("text", "json", "csv")


def render(rows: Rows, form: str) -> str:
    """JSON has one object per line and row."""
    if form == "json":
        return "".join(
            json.dumps({name: _plain(value) for name, value in zip(rows.columns, row, strict=True) if value is not None}) + "\n"
            for row in rows.rows)
    if form == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(rows.columns)
        writer.writerows([_cell(name, value, "") for name, value in zip(rows.columns, row, strict=True)] for row in rows.rows)
        return text.getvalue()
    return _table(rows)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) else float(value)


def _cell(name: str, value: Any, absent: str) -> str:
    if value is None:
        return absent
    if name in TIMES:
        return time_text(int(value), seconds_only=name == "hour")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    # What a host wrote is not to reach the terminal as it is.
    text = str(value)
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def time_text(ns: int, seconds_only: bool = False) -> str:
    """2026-11-21T02:30:05.123456Z"""
    seconds, rest = divmod(ns, 1_000_000_000)
    text = dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return text + ("Z" if seconds_only else f".{rest // 1000:06d}Z")


def _table(rows: Rows) -> str:
    # A column that says nothing is left out.
    kept = [i for i, name in enumerate(rows.columns) if any(row[i] is not None for row in rows.rows)]
    if not kept:
        return "nothing\n"
    names = [rows.columns[i] for i in kept]
    numeric = [all(isinstance(row[i], int | float) or row[i] is None for row in rows.rows) and rows.columns[i] not in TIMES
               for i in kept]
    lines = [names] + [[_cell(rows.columns[i], row[i], "-") for i in kept] for row in rows.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(kept))]
    return "".join(
        "  ".join(text.rjust(width) if right else text.ljust(width)
                  for text, width, right in zip(line, widths, numeric, strict=True)).rstrip() + "\n" for line in lines)
