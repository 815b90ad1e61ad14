"""Apache Spark, on a cluster or in this process. Only the driver needs this package: what runs on the workers is SQL."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Mapping, Sequence

from . import EngineError, Parameters, Rows, used_parameters

try:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import DataFrame, SparkSession
except ImportError as error:
    raise EngineError("--engine spark needs pyspark: pip install 'rst-fleet[spark]'") from error

_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
_TYPES = {"VARCHAR": "STRING", "VARCHAR[]": "ARRAY<STRING>"}


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Errors of Spark as a sentence: the rest is in its log."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise EngineError("Spark: " + " ".join(lines[:2])) from error


class SparkEngine:
    """A session of its own, or the one that spark-submit or a notebook has made."""

    def __init__(self, master: str | None = None, work: str = "", session: SparkSession | None = None) -> None:
        """work: a directory that all workers can write to, for intermediate tables."""
        if session is None:
            builder = SparkSession.builder.appName("rst-fleet")
            if master is not None:
                builder = builder.master(master)
            # A session that exists already keeps what it was given.
            for key, value in _SETTINGS.items():
                builder = builder.config(key, value)
            with _told():
                session = builder.getOrCreate()
        self.session = session
        self._work = work
        self._made: list[str] = []
        self._written: list[str] = []

    def _run(self, query: str, parameters: Parameters) -> DataFrame:
        with _told():
            return self.session.sql(query, args={name: parameters[name] for name in used_parameters(query)})

    def glob(self, pattern: str) -> list[str]:
        jvm = self.session._jvm
        path = jvm.org.apache.hadoop.fs.Path(pattern)
        files = path.getFileSystem(self.session._jsc.hadoopConfiguration()).globStatus(path)
        return sorted(status.getPath().toString() for status in files or ())

    def files(self, name: str, paths: Sequence[str], columns: Mapping[str, str]) -> None:
        schema = ", ".join(f"`{column}` {_TYPES.get(kind, kind)}" for column, kind in columns.items())
        if paths:
            # Without the columns that Spark would make of the names of the directories.
            with _told():
                frame = self.session.read.schema(schema).option("recursiveFileLookup", "true").parquet(*paths)
        else:
            frame = self.session.createDataFrame([], schema)
        self._name(name, frame)

    def view(self, name: str, query: str, parameters: Parameters) -> None:
        self._name(name, self._run(query, parameters))

    def table(self, name: str, query: str, parameters: Parameters) -> None:
        # Written, not kept in memory: a lost worker loses nothing then, and the plans stay small.
        directory = f"{self._work}/{name}-{uuid.uuid4().hex}"
        self._written.append(directory)
        self.write(query, parameters, directory)
        self._name(name, self.session.read.parquet(directory))

    def _name(self, name: str, frame: DataFrame) -> None:
        frame.createOrReplaceTempView(name)
        self._made.append(name)

    def write(self, query: str, parameters: Parameters, directory: str) -> None:
        with _told():
            self._run(query, parameters).write.mode("overwrite").option("compression", "zstd").parquet(directory)

    def rows(self, query: str, parameters: Parameters) -> Rows:
        frame = self._run(query, parameters)
        with _told():
            return Rows(tuple(frame.columns), [tuple(row) for row in frame.collect()])

    def forget(self) -> None:
        for name in reversed(self._made):
            self.session.catalog.dropTempView(name)
        self._made.clear()
        for directory in self._written:
            path = self.session._jvm.org.apache.hadoop.fs.Path(directory)
            path.getFileSystem(self.session._jsc.hadoopConfiguration()).delete(path, True)
        self._written.clear()

    def close(self) -> None:
        self.session.stop()
