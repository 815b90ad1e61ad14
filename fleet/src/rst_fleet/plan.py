"""SQL texts as plans: named queries in order.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Literal

Kind = Literal["view", "step", "output", "answer"]

_HEADER = re.compile(r"^-- (view|step|output|answer): ([a-z_0-9]+)$")


@dataclass(frozen=True)
class Step:
    """A query, what becomes of its result (see sql/join.sql), and its name."""

    kind: Kind
    name: str
    query: str


def load(name: str) -> list[Step]:
    """The plan in sql/NAME.sql."""
    return list(parse(resources.files(__package__).joinpath(f"sql/{name}.sql").read_text("utf-8")))


def parse(text: str) -> Iterator[Step]:
    """Splits a text at its headers `-- KIND: NAME`. Comments are left out of the queries."""
    current: tuple[Kind, str] | None = None
    lines: list[str] = []
    for line in [*text.splitlines(), "-- view: end"]:
        header = _HEADER.match(line)
        if header:
            if current:
                yield Step(current[0], current[1], "\n".join(lines).strip())
            current, lines = (header[1], header[2]), []  # type: ignore[assignment]
        elif not line.startswith("--"):
            lines.append(line)
