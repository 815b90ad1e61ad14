"""Where things are in a lake.  Pure: names of paths, no files.

    LAKE/records/hour=2026112102/kind=sent/*.parquet     what `ingest` wrote
    LAKE/pairs/hour=2026112102/*.parquet                 what `join` wrote; likewise unsent, offsets
    LAKE/rejected/*.ndjson                               lines that are no records, as they were

An hour is named after its beginning in UTC.
"""

from __future__ import annotations

import datetime as dt
import re

HOUR = 3_600_000_000_000  # nanoseconds

_HOUR_NAME = re.compile(r"hour=([0-9]{10})(?:/|$)")


def hour_name(ns: int) -> str:
    """The name of the hour that a time is in (nanoseconds since 1970-01-01 UTC): 2026112102."""
    return dt.datetime.fromtimestamp(ns // HOUR * 3600, dt.UTC).strftime("%Y%m%d%H")


def hour_begin(name: str) -> int:
    """The beginning of a named hour, nanoseconds since 1970-01-01 UTC. Raises ValueError for what is no hour."""
    time = dt.datetime.strptime(name, "%Y%m%d%H").replace(tzinfo=dt.UTC)
    return int(time.timestamp()) * 1_000_000_000


def hour_in_path(path: str) -> str | None:
    """The hour that a path of the lake belongs to."""
    match = _HOUR_NAME.search(path.replace("%3D", "="))
    return match[1] if match else None


def neighbours(name: str) -> tuple[str, str, str]:
    """An hour between the one before and the one after it."""
    begin = hour_begin(name)
    return hour_name(begin - HOUR), name, hour_name(begin + HOUR)


def records(lake: str, hour: str = "*", kind: str = "*") -> str:
    """Pattern of the files of records."""
    return f"{lake}/records/hour={hour}/kind={kind}/*.parquet"


def output(lake: str, name: str, hour: str) -> str:
    """Directory of what a join wrote for an hour."""
    return f"{lake}/{name}/hour={hour}"


def parse_time(text: str) -> int:
    """A time as people write it, in nanoseconds since 1970-01-01 UTC: `2026-11-21T02:30:05.5Z`, `2026-11-21 02:30`,
    `2026112102`, or @SECONDS. Without a zone it is UTC. Raises ValueError with a sentence."""
    text = text.strip()
    if re.fullmatch(r"[0-9]{10}", text):
        return hour_begin(text)
    if text.startswith("@"):
        try:
            seconds, _, fraction = text[1:].partition(".")
            return int(seconds) * 1_000_000_000 + int((fraction + "000000000")[:9])
        except ValueError:
            raise ValueError(f"{text} is no number of seconds since 1970") from None
    try:
        # fromisoformat keeps microseconds; the rest of the digits is cut off by it.
        time = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text} is no time: write 2026-11-21T02:30:05Z, 2026112102 (an hour) or @SECONDS since 1970") from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=dt.UTC)
    return round((time - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(microseconds=1)) * 1000


def parse_hours(text: str) -> tuple[str, str]:
    """`A..B` (both included), or one hour; each as in `parse_time`. Raises ValueError with a sentence."""
    first, dots, last = text.partition("..")
    names = hour_name(parse_time(first)), hour_name(parse_time(last if dots else first))
    if names[0] > names[1]:
        raise ValueError(f"{text}: the first hour is after the last one")
    return names
