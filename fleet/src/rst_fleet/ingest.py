"""Spool files to Parquet: by hour and kind, without duplicates, bad lines kept aside.

Files are read by DuckDB in batches. One that it cannot read, or that has a record which is none, is read again line by line
(`spool`, `record.why_bad`), so that its good lines are not lost. What is in the lake already is not written again, and a
corrected record (`revision`) replaces the one that it corrects.
"""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from . import spool
from .engines import EngineError
from .engines.duck import DuckEngine, quoted
from .record import FIELDS, LONGEST_LINE, acceptable_sql, why_bad
from .writer import LakeWriter

#: Bytes of files that are read at once, compressed ones counted tenfold.
BATCH = 256 << 20

#: Files of a batch that may fail before all the others are read line by line, too.
MOST_FAILURES = 8


@dataclass
class Ingested:
    """What an ingest did."""

    files: int = 0
    lines: int = 0
    written: int = 0
    duplicates: int = 0
    corrected: int = 0
    #: Reason: lines.
    bad: Counter[str] = field(default_factory=Counter)
    #: Names of the hours that have new records.
    hours: set[str] = field(default_factory=set)
    #: What could not be read, one sentence each.
    complaints: list[str] = field(default_factory=list)
    #: The file that bad lines were written to.
    rejected: str | None = None


def ingest(engine: DuckEngine, inputs: list[str], lake: str) -> Ingested:
    """Brings spool files into a lake. Raises EngineError if the lake cannot be written, or another ingest is at work."""
    result = Ingested()
    files, complaints = spool.find(inputs)
    result.complaints += complaints
    result.files = len(files)
    with LakeWriter(engine, lake) as writer:
        reader = _Reader(engine, writer, lake, result)
        for batch in _batches(files):
            reader.read(batch)
    return result


def _batches(files: list[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for path in files:
        weight = os.path.getsize(path) * (10 if path.endswith(spool.COMPRESSIONS) else 1)
        if batch and (size + weight > BATCH or len(batch) >= 1000):
            yield batch
            batch, size = [], 0
        batch.append(path)
        size += weight
    if batch:
        yield batch


class _Reader:
    def __init__(self, engine: DuckEngine, writer: LakeWriter, lake: str, result: Ingested) -> None:
        self._engine = engine
        self._writer = writer
        self._lake = lake
        self._result = result
        self._types = "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in FIELDS.items()) + "}"

    def read(self, files: list[str]) -> None:
        """Reads files at once, but those with something wrong line by line."""
        files, suspects = self._load_good(files)
        if files:
            wrong = [row[0] for row in self._engine.run(
                f"SELECT DISTINCT filename FROM batch WHERE ({acceptable_sql()}) IS NOT TRUE")]
            for path in wrong:
                self._engine.run("DELETE FROM batch WHERE filename = :path", {"path": path})
            self._write()
            suspects += wrong
        if suspects:
            self._sift(suspects)

    def _load_good(self, files: list[str]) -> tuple[list[str], list[str]]:
        """Loads the files that can be read at once. Which they are, and the others."""
        suspects: list[str] = []
        while files:
            try:
                self._load(files)
                break
            except EngineError as error:
                # Each failure costs a part of a reading: with many of them, line by line is faster.
                named = [path for path in files if f'"{path}"' in str(error)]
                if len(named) != 1 or len(suspects) == MOST_FAILURES:
                    return [], suspects + files
                suspects += named
                files = [path for path in files if path != named[0]]
        return files, suspects

    def _load(self, files: list[str], lax: bool = False) -> None:
        listed = ", ".join(map(quoted, files))
        # Two of them at once would not fit.
        self._engine.run("DROP TABLE IF EXISTS batch")
        # Half of the identity is enough to tell the records of a lake apart, and both engines can join by an integer.
        self._engine.run(
            "CREATE TEMP TABLE batch AS SELECT"
            " CAST(TRY_CAST('0x' || record_id[1:16] AS UBIGINT)::HUGEINT - 9223372036854775808 AS BIGINT) AS id, *"
            f" FROM read_ndjson([{listed}], columns = {self._types}, filename = true, ignore_errors = {lax},"
            f" maximum_object_size = {2 * LONGEST_LINE})")

    def _sift(self, files: list[str]) -> None:
        """Reads files line by line, keeps their bad lines aside, and has the good ones written."""
        with tempfile.NamedTemporaryFile(suffix=".ndjson", prefix=".sift-", dir=self._lake) as good:
            for path in files:
                number = 0
                try:
                    for number, line in enumerate(spool.lines(path), 1):
                        if not line.strip():
                            continue
                        reason = why_bad(line)
                        if reason is None:
                            good.write(line + b"\n")
                        else:
                            self._reject(path, number, reason, line)
                except spool.SpoolError as error:
                    self._result.complaints.append(f"{path}: {error}; {number} lines of it were read")
            good.flush()
            if not good.tell():
                return
            try:
                self._load([good.name])
            except EngineError as error:
                # The two readers should agree; where they do not, a field is better lost than the file.
                self._result.complaints.append(f"fields were left out of lines of {', '.join(files[:3])}: {error}")
                self._load([good.name], lax=True)
            # Some that only the other reader accepts would be without what every record has.
            self._engine.run(f"DELETE FROM batch WHERE ({acceptable_sql()}) IS NOT TRUE")
            self._write()

    def _reject(self, path: str, number: int, reason: str, line: bytes) -> None:
        self._result.bad[reason] += 1
        self._result.lines += 1
        if self._result.rejected is None:
            os.makedirs(f"{self._lake}/rejected", exist_ok=True)
            self._result.rejected = f"{self._lake}/rejected/{uuid.uuid4().hex}.ndjson"
        with open(self._result.rejected, "a", encoding="utf-8") as aside:
            entry = {"file": path, "line": number, "why": reason, "text": line.decode("utf-8", "backslashreplace")}
            aside.write(json.dumps(entry) + "\n")

    def _write(self) -> None:
        written = self._writer.write("batch")
        result = self._result
        result.lines += written.lines
        result.written += written.written
        result.duplicates += written.duplicates
        result.corrected += written.corrected
        result.hours |= written.hours
