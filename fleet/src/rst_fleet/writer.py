"""Writes records into a lake: new ones into new files, corrected ones in place of what they correct.

One writer at a time. A reader sees each file whole or not at all; while files of an hour are replaced, for a moment it sees
some of them.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import uuid
from dataclasses import dataclass, field
from types import TracebackType

from . import lake as paths
from .engines import EngineError
from .engines.duck import PARQUET, DuckEngine, quoted
from .record import COLUMNS

#: An hour with more files than this is rewritten into one file for each kind.
MOST_FILES = 64

#: How far the time of a corrected record may be from that of the first one, nanoseconds.
_NEAR = 10_000_000_000

_JOURNAL = ".replacing.json"


@dataclass
class Written:
    """What became of a table of records."""

    lines: int = 0
    written: int = 0
    #: In the table twice, or in the lake already.
    duplicates: int = 0
    #: Of those written: they replaced one with a lower revision.
    corrected: int = 0
    hours: set[str] = field(default_factory=set)


class LakeWriter:
    """To be used as a context. Raises EngineError on entering if another one is at work."""

    def __init__(self, engine: DuckEngine, lake: str) -> None:
        self._engine = engine
        self._lake = os.path.abspath(lake)
        self._lock: int | None = None

    def __enter__(self) -> LakeWriter:
        os.makedirs(f"{self._lake}/records", exist_ok=True)
        self._lock = os.open(f"{self._lake}/.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise EngineError(f"{self._lake}: another ingest is at work") from None
        self._finish_replacement()
        # What a crash left behind.
        for name in os.listdir(self._lake):
            if name.startswith(".new-"):
                shutil.rmtree(f"{self._lake}/{name}", ignore_errors=True)
            elif name.startswith(".sift-"):
                os.unlink(f"{self._lake}/{name}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)

    def write(self, table: str) -> Written:
        """Writes the records of a table with the columns of the lake; rows that are in the lake already are deleted from it."""
        run = self._engine.run
        result = Written(lines=run(f"SELECT count(*) FROM {table}")[0][0])
        result.duplicates = self._drop_repetitions(table)
        near = sorted({
            paths.hour_name(row[0] * paths.HOUR) for row in run(
                f"SELECT DISTINCT unnest([(ts - {_NEAR}) // {paths.HOUR}, (ts + {_NEAR}) // {paths.HOUR}]) FROM {table}")})
        stale = self._compare(table, near, result)
        result.written = result.lines - result.duplicates
        if result.written:
            result.hours = self._append(table)
        for hour in sorted(stale | {hour for hour in result.hours if self._has_many_files(hour)}):
            self._rewrite(hour)
        return result

    def _drop_repetitions(self, table: str) -> int:
        """Keeps the highest revision of each record."""
        run = self._engine.run
        run("CREATE OR REPLACE TEMP TABLE repeated AS"
            f" SELECT record_id FROM {table} GROUP BY record_id HAVING count(*) > 1")
        if not run("SELECT count(*) FROM repeated")[0][0]:
            return 0
        return run(
            f"DELETE FROM {table} WHERE rowid IN (SELECT row FROM (SELECT rowid AS row, row_number() OVER ("
            f"PARTITION BY record_id ORDER BY coalesce(revision, 0) DESC, ts) AS place FROM {table}"
            " WHERE record_id IN (SELECT record_id FROM repeated)) WHERE place > 1)")[0][0]

    def _compare(self, table: str, hours: list[str], result: Written) -> set[str]:
        """Deletes what the lake has already. The hours in which records have been corrected, which `superseded` lists."""
        run = self._engine.run
        files = [path for hour in hours for path in self._engine.glob(paths.records(self._lake, hour))]
        run("CREATE OR REPLACE TEMP TABLE superseded (record_id VARCHAR, revision BIGINT)")
        if not files:
            return set()
        self._engine.files("existing", files, {"id": "BIGINT", "record_id": "VARCHAR", "revision": "BIGINT", "ts": "BIGINT"})
        run("CREATE OR REPLACE TEMP TABLE known AS SELECT e.record_id, e.ts, coalesce(e.revision, 0) AS revision,"
            f" coalesce(b.revision, 0) AS incoming FROM existing e JOIN {table} b"
            " ON b.id = e.id AND b.record_id = e.record_id")
        result.duplicates += run(
            f"DELETE FROM {table} WHERE record_id IN (SELECT record_id FROM known WHERE incoming <= revision)")[0][0]
        run("INSERT INTO superseded SELECT record_id, max(incoming) FROM known WHERE record_id NOT IN"
            " (SELECT record_id FROM known WHERE incoming <= revision) GROUP BY record_id")
        result.corrected = run("SELECT count(*) FROM superseded")[0][0]
        return {paths.hour_name(row[0] * paths.HOUR) for row in run(
            f"SELECT DISTINCT ts // {paths.HOUR} FROM known WHERE record_id IN (SELECT record_id FROM superseded)")}

    def _append(self, table: str) -> set[str]:
        """Writes the table into new files, and says which hours they are of."""
        columns = ", ".join(f'"{name}"' for name in self._filled(table))
        parts = self._engine.run(f"SELECT DISTINCT ts // {paths.HOUR}, kind FROM {table}")
        with tempfile.TemporaryDirectory(prefix=".new-", dir=self._lake) as new:
            # One after the other: PARTITION_BY takes three times as long.
            for number, (hour, kind) in enumerate(parts):
                self._engine.run(
                    f"COPY (SELECT {columns} FROM {table} WHERE kind = :kind"
                    f" AND ts >= {hour * paths.HOUR} AND ts < {(hour + 1) * paths.HOUR})"
                    f" TO {quoted(f'{new}/{number}')} ({PARQUET})", {"kind": kind})
            for number, (hour, kind) in enumerate(parts):
                directory = f"{self._lake}/records/hour={paths.hour_name(hour * paths.HOUR)}/kind={kind}"
                os.makedirs(directory, exist_ok=True)
                os.rename(f"{new}/{number}", f"{directory}/{uuid.uuid4().hex}.parquet")
        return {paths.hour_name(hour * paths.HOUR) for hour, _ in parts}

    def _filled(self, table: str) -> list[str]:
        """The columns that have a value: a file without the others is read as if they were there, and written faster."""
        names = list(COLUMNS)
        counts = self._engine.run("SELECT " + ", ".join(f'count("{name}")' for name in names) + f" FROM {table}")[0]
        return [name for name, count in zip(names, counts, strict=True) if count]

    def _has_many_files(self, hour: str) -> bool:
        directory = f"{self._lake}/records/hour={hour}"
        return any(len(os.listdir(f"{directory}/{kind}")) > MOST_FILES for kind in os.listdir(directory))

    def _rewrite(self, hour: str) -> None:
        """Writes the files of an hour anew, without what is superseded."""
        old = self._engine.glob(paths.records(self._lake, hour))
        self._engine.files("existing", old, COLUMNS)
        new = tempfile.mkdtemp(prefix=".new-", dir=self._lake)
        try:
            moves = []
            for number, (kind,) in enumerate(self._engine.run("SELECT DISTINCT kind FROM existing")):
                self._engine.run(
                    "COPY (SELECT * FROM existing e WHERE kind = :kind AND NOT EXISTS (SELECT 1 FROM superseded s WHERE"
                    " s.record_id = e.record_id AND s.revision > coalesce(e.revision, 0)))"
                    f" TO {quoted(f'{new}/{number}')} ({PARQUET})", {"kind": kind})
                moves.append(
                    (f"{new}/{number}", f"{self._lake}/records/hour={hour}/kind={kind}/{uuid.uuid4().hex}.parquet"))
            journal = f"{self._lake}/{_JOURNAL}"
            with open(journal + ".tmp", "w", encoding="utf-8") as file:
                json.dump({"moves": moves, "old": old, "new": new}, file)
                file.flush()
                os.fsync(file.fileno())
            os.rename(journal + ".tmp", journal)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        self._finish_replacement()

    def _finish_replacement(self) -> None:
        """Does what is left to do of a replacement, also of one that a crash interrupted."""
        journal = f"{self._lake}/{_JOURNAL}"
        try:
            with open(journal, encoding="utf-8") as file:
                task = json.load(file)
        except FileNotFoundError:
            return
        for path in task["old"]:
            if os.path.exists(path):
                os.unlink(path)
        for source, target in task["moves"]:
            if os.path.exists(source):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.rename(source, target)
        shutil.rmtree(task["new"], ignore_errors=True)
        os.unlink(journal)
