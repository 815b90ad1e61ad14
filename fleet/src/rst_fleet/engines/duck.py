"""DuckDB, in this process."""

from __future__ import annotations

import glob
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from . import EngineError, Parameters, Rows, replace_parameters, used_parameters

#: Measured: higher levels take a fifth more time for a twentieth less space, dictionaries of what never repeats cost as much,
#: and small row groups keep all threads busy.
PARQUET = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 8192, ROW_GROUP_SIZE 61440"


def quoted(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"


class DuckEngine:
    """One database in memory, with a directory for what does not fit."""

    def __init__(self, memory: str = "1200MB", threads: int | None = None, temporary: str | None = None) -> None:
        self._spill = tempfile.mkdtemp(prefix="rst-fleet-", dir=temporary)
        self.connection = duckdb.connect()
        self.run(f"SET memory_limit = {quoted(memory)}")
        self.run(f"SET temp_directory = {quoted(self._spill)}")
        self.run("SET preserve_insertion_order = false")
        if threads is not None:
            self.run(f"SET threads = {int(threads)}")
        # What Spark calls it.
        self.run("CREATE TEMP MACRO explode(list) AS unnest(list)")
        self._made: list[tuple[str, str]] = []

    def run(self, query: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """Runs a statement of DuckDB's own; parameters are `:name`."""
        return self._execute(query, parameters or {}).fetchall()

    def _execute(self, query: str, parameters: Parameters) -> duckdb.DuckDBPyConnection:
        values = {name: parameters[name] for name in used_parameters(query) if name in parameters}
        text = replace_parameters(query, lambda name: "$" + name)
        try:
            return self.connection.execute(text, values or None)
        except duckdb.Error as error:
            raise EngineError(f"DuckDB: {_first_line(error)}") from error

    def glob(self, pattern: str) -> list[str]:
        return sorted(glob.glob(pattern))

    def files(self, name: str, paths: Sequence[str], columns: Mapping[str, str]) -> None:
        if paths:
            source = f"read_parquet([{', '.join(map(quoted, paths))}], union_by_name = true, hive_partitioning = false)"
            present = {row[0] for row in self.run(f"DESCRIBE SELECT * FROM {source}")}
        else:
            source, present = "(SELECT 1 WHERE false)", set()
        chosen = ", ".join(
            f"CAST({_identifier(column) if column in present else 'NULL'} AS {kind}) AS {_identifier(column)}"
            for column, kind in columns.items())
        self._make("VIEW", name, f"SELECT {chosen} FROM {source}", {})

    def view(self, name: str, query: str, parameters: Parameters) -> None:
        self._make("VIEW", name, query, parameters)

    def table(self, name: str, query: str, parameters: Parameters) -> None:
        self._make("TABLE", name, query, parameters)

    def _make(self, what: str, name: str, query: str, parameters: Parameters) -> None:
        if what == "VIEW":
            # A view cannot have parameters; those of the plans are integers.
            query = replace_parameters(query, lambda name: str(int(parameters[name])))
        self.run(f"CREATE OR REPLACE TEMP {what} {_identifier(name)} AS {query}", parameters)
        self._made.append((what, name))

    def write(self, query: str, parameters: Parameters, directory: str) -> None:
        """The directory is replaced by renaming: a reader sees the old files or the new ones."""
        os.makedirs(os.path.dirname(directory), exist_ok=True)
        new = tempfile.mkdtemp(prefix=".new-", dir=os.path.dirname(directory))
        try:
            self.run(
                f"COPY ({query}) TO {quoted(new + '/part-0.parquet')} ({PARQUET})", parameters)
            os.chmod(new, 0o755)
            if os.path.isdir(directory):
                os.rename(directory, new + ".old")
            os.rename(new, directory)
        finally:
            shutil.rmtree(new, ignore_errors=True)
            shutil.rmtree(new + ".old", ignore_errors=True)

    def rows(self, query: str, parameters: Parameters) -> Rows:
        result = self._execute(query, parameters)
        columns = tuple(column[0] for column in result.description or ())
        return Rows(columns, result.fetchall())

    def forget(self) -> None:
        for what, name in reversed(self._made):
            self.run(f"DROP {what} IF EXISTS {_identifier(name)}")
        self._made.clear()

    def close(self) -> None:
        self.connection.close()
        shutil.rmtree(self._spill, ignore_errors=True)


def _identifier(name: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        raise ValueError(f"{name!r} is no name of a table or column")
    return f'"{name}"'


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
