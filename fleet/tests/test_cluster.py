"""A Spark cluster of processes on 127.0.0.1 gives the same rows as DuckDB, also if a worker is killed in the middle."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rst_fleet import ask
from rst_fleet import lake as paths
from rst_fleet.engines.duck import DuckEngine
from rst_fleet.join import join_hour
from rst_fleet.output import render

FLEET = Path(__file__).parent.parent
ROWS = int(float(os.environ.get("RST_FLEET_ROWS", "1e6")))
HOUR = "2026111811"
OUTPUTS = {
    "pairs": "* EXCLUDE (residual)", "unsent": "*",
    "offsets": "host, round(by_received), round(by_sent), received_pairs, sent_pairs"}

pytestmark = pytest.mark.cluster


class Cluster:
    """A master and two workers of one core, each in a process group of its own."""

    def __init__(self, directory: Path) -> None:
        import pyspark

        self.home = Path(pyspark.__file__).parent
        self.environment = os.environ | {
            "SPARK_HOME": str(self.home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_NO_DAEMONIZE": "1",
            "SPARK_WORKER_DIR": str(directory / "work"), "SPARK_LOCAL_DIRS": str(directory / "local"),
            "PYSPARK_PYTHON": sys.executable}
        self.directory = directory
        self.port, self.page = free_port(), free_port()
        self.master = f"spark://127.0.0.1:{self.port}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Cluster:
        self.start("master.Master", "--host", "127.0.0.1", "--port", str(self.port), "--webui-port", str(self.page))
        for _ in range(2):
            self.start("worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "1500m",
                       "--webui-port", "0", self.master)
        self.wait_for_workers(2)
        return self

    def start(self, role: str, *arguments: str) -> None:
        log = open(self.directory / f"{role}-{len(self.processes)}.log", "wb")
        self.processes.append(subprocess.Popen(
            [self.home / "bin/spark-class", f"org.apache.spark.deploy.{role}", *arguments], env=self.environment,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True))

    def wait_for_workers(self, number: int) -> None:
        for _ in range(240):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.page}/json/", timeout=5) as answer:
                    if answer.read().count(b'"ALIVE"') >= number + 1:  # the master is one, too
                        return
            except OSError:
                pass
            time.sleep(0.25)
        raise AssertionError("the workers did not come up; see " + str(self.directory))

    def kill(self, number: int) -> None:
        """A process with all that it started: the worker, and the executor."""
        group = self.processes[number].pid
        executors = subprocess.run(["ps", "-o", "pid=", "--ppid", str(group)], capture_output=True, text=True).stdout.split()
        for pid in [str(group), *executors]:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass

    def __exit__(self, *_: object) -> None:
        for number in range(len(self.processes)):
            self.kill(number)
        for process in self.processes:
            process.wait()

    def submit(self, *arguments: str) -> subprocess.Popen[str]:
        """spark-submit with the job as it is."""
        return subprocess.Popen(
            [self.home / "bin/spark-submit", "--master", self.master, "--driver-memory", "1g", "--executor-memory", "1200m",
             "--conf", "spark.sql.shuffle.partitions=16", "--conf", "spark.ui.enabled=false",
             "--conf", "spark.task.maxFailures=8", FLEET / "spark/rst_fleet_job.py", *arguments],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def generated(tmp_path: Path) -> Iterator[Path]:
    subprocess.run([sys.executable, FLEET / "bench/generate.py", tmp_path / "out", "--rows", str(ROWS)], check=True)
    yield tmp_path / "out"


def outputs(lake: Path) -> dict[str, list[tuple[Any, ...]]]:
    import duckdb

    run = duckdb.connect().execute
    return {
        name: run(f"SELECT {columns} FROM read_parquet('{lake}/{name}/hour={HOUR}/*.parquet', hive_partitioning = false)"
                  " ORDER BY ALL").fetchall()
        for name, columns in OUTPUTS.items()}


def test_same_rows_with_a_worker_killed(generated: Path, tmp_path: Path) -> None:
    from score import score

    lake = generated / "lake"
    subprocess.run([sys.executable, "-m", "rst_fleet", "join", lake, "--hours", HOUR], check=True)
    expected = outputs(lake)
    found = score(str(generated))
    assert found["precision"] >= 0.9999 and found["recall"] >= 0.9999, found
    assert found["injected_precision"] >= 0.999 and found["injected_recall"] >= 0.9, found
    for name in OUTPUTS:
        os.rename(lake / name, lake / f"{name}-duckdb")

    (tmp_path / "cluster").mkdir()
    with Cluster(tmp_path / "cluster") as cluster:
        job = cluster.submit("join", str(lake), "--hours", HOUR, "--verbose")
        said, killed = [], False
        assert job.stdout
        for line in job.stdout:
            said.append(line)
            if not killed and line.rstrip().endswith(" heavy_received"):
                # The next step is the join itself.
                time.sleep(1)
                cluster.kill(2)
                killed = True
        assert job.wait() == 0, "".join(said[-60:])
        assert killed, "".join(said[-60:])
        assert cluster.processes[2].poll() is not None
    print("".join(said[-1:]))
    actual = outputs(lake)
    for name in OUTPUTS:
        assert len(actual[name]) == len(expected[name]), name
        assert actual[name] == expected[name], name


def test_questions_have_the_same_answers(engine: DuckEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rst_fleet.engines.spark import SparkEngine

    out = tmp_path / "out"
    subprocess.run([sys.executable, FLEET / "bench/generate.py", out, "--rows", "2e4", "--hosts", "50"], check=True)
    lake = str(out / "lake")
    join_hour(engine, lake, HOUR)
    begin = paths.hour_begin(HOUR)
    end, second = begin + paths.HOUR, 10**9
    address, port, ts = engine.run(
        f"SELECT dst, dport, ts FROM '{lake}/records/hour={HOUR}/kind=received/*.parquet' WHERE ts > {begin} ORDER BY id LIMIT 1")[0]
    hour = {"begin": begin, "end": end, "top": 20}
    parameters: dict[str, dict[str, Any]] = {
        "top": hour, "middlebox": hour, "coverage": hour, "changed": hour | {"since": begin + 1800 * second},
        "who": {"address": address, "port": port, "begin": ts - 5 * second, "end": ts + 5 * second, "top": 20}}
    assert set(parameters) == set(ask.QUESTIONS)

    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    spark = SparkEngine("local[2]", str(tmp_path / "work"))
    try:
        spark.session.conf.set("spark.sql.shuffle.partitions", "4")
        for name, values in parameters.items():
            answers = [render(ask.ask(one, lake, ask.Question(name, HOUR, HOUR, values)), "csv") for one in (engine, spark)]
            assert answers[0] == answers[1], name
            assert len(answers[0].splitlines()) > 1, name
    finally:
        spark.close()
