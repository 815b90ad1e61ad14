"""What runs the SQL: DuckDB in this process, or Spark on a cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

#: Values for the parameters of a query (`:name`).
Parameters = Mapping[str, Any]


_PARAMETER = re.compile(r"'(?:[^']|'')*'|:([a-z_]+)")


def used_parameters(query: str) -> set[str]:
    """The parameters in a query; what is between quotes is none."""
    return {match[1] for match in _PARAMETER.finditer(query) if match[1]}


def replace_parameters(query: str, replacement: Callable[[str], str]) -> str:
    """Writes the parameters of a query in another way."""
    return _PARAMETER.sub(lambda match: replacement(match[1]) if match[1] else match[0], query)


class EngineError(Exception):
    """The engine could not do what it was asked: a sentence for the user."""


@dataclass(frozen=True)
class Rows:
    """What a query answers."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class Engine(Protocol):
    """An engine reads Parquet files and runs queries of one SQL text. `:name` in a query is a parameter."""

    def glob(self, pattern: str) -> list[str]:
        """Files that match a pattern with `*`, sorted; none if there are none."""

    def files(self, name: str, paths: Sequence[str], columns: Mapping[str, str]) -> None:
        """Makes a view over Parquet files, with exactly these columns (name: type of `record`): absent ones are null."""

    def view(self, name: str, query: str, parameters: Parameters) -> None:
        """Names a query."""

    def table(self, name: str, query: str, parameters: Parameters) -> None:
        """Runs a query and keeps its result, in memory or on disk."""

    def write(self, query: str, parameters: Parameters, directory: str) -> None:
        """Replaces a directory by the result of a query, as Parquet."""

    def rows(self, query: str, parameters: Parameters) -> Rows:
        """Runs a query and fetches its result."""

    def forget(self) -> None:
        """Drops what `table` and `view` made."""

    def close(self) -> None: ...
