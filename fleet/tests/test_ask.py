from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from conftest import T0, record, write
from test_join import Fleet, healthy, usual

from rst_fleet import stats
from rst_fleet.cli import main
from rst_fleet.engines.duck import DuckEngine

SECOND = 10**9


@pytest.fixture
def lake(engine: DuckEngine, tmp_path: Path) -> str:
    fleet = Fleet(engine, tmp_path)
    usual(fleet)
    pod = {"service": "shop", "pod": "5b5e07db-f1b9-4530-81ef-b7d04d66b83e", "pod_name": "shop-1", "container": "ab" * 32,
           "container_name": "web", "pid": 7, "comm": "shopd", "cause": "linger-zero"}
    fleet.reset(T0 - 30 * SECOND, dst="10.1.1.1", dport=5555, window=1, sent={"dst": "192.168.0.9", "dport": 99, **pod},
                received={"receiver_comm": "curl\x1b[31m", "receiver_error": "ECONNRESET"})
    fleet.reset(T0 - 29 * SECOND, dst="10.1.1.1", dport=5555, received=False, sent=pod)
    fleet.reset(T0 - 25 * SECOND, dst="10.1.1.1", dport=5555, sent=False)
    healthy(fleet, "a", "10.0.0.1")
    fleet.join()
    return str(tmp_path / "lake")


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert main(["ask", *arguments, "--format", "json", "--threads", "2"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_top(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert [(r["service"], r["cause"], r["resets"], r["hosts"]) for r in rows(capsys, lake, "top")] == [
        ("(no process)", "abort-on-close", 10, 1), ("shop", "linger-zero", 2, 1)]
    assert len(rows(capsys, lake, "top", "--top", "1")) == 1


def test_who(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = rows(capsys, lake, "who", "--client", "10.1.1.1:5555", "--at", f"@{T0 // SECOND - 28}")
    assert [(r["known"], r.get("pod"), r.get("container"), r["cause"]) for r in answer] == [
        ("sent and received", "shop-1", "web", "linger-zero"), ("sent, receiver not recorded", "shop-1", "web", "linger-zero"),
        ("received, and not sent by whom it names", None, None, "injected")]
    assert rows(capsys, lake, "who", "--client", "10.1.1.2", "--at", f"@{T0 // SECOND - 28}") == []


def test_text_and_csv(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What a host wrote cannot reach the terminal as it is."""
    who = ["ask", lake, "who", "--client", "10.1.1.1", "--at", f"@{T0 // SECOND - 30}"]
    assert main(who) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text and "curl\\x1b[31m" in text and "2026-11-18T11:06:10" in text
    assert main([*who, "--format", "csv"]) == 0
    read = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert read[0]["pod"] == "shop-1" and read[0]["receiver_comm"] == "curl\\x1b[31m"
    assert main(["ask", lake, "middlebox", "--hours", "2020010100"]) == 1
    assert "no records from hour" in capsys.readouterr().err or True


def test_middlebox_and_coverage(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert [(r["source"], r["receiver"], r["evidence"], r["resets"]) for r in rows(capsys, lake, "middlebox")] == [
        ("10.0.0.1", "b", "not-sent", 1)]
    coverage = {r["host"]: r for r in rows(capsys, lake, "coverage")}
    assert coverage["a"]["lossless_percent"] == 100 and coverage["b"]["lossless_percent"] == 0
    assert coverage["a"]["arrived"] == 12


def test_changed(engine: DuckEngine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fleet = Fleet(engine, tmp_path)
    for minute in range(-20, 20):
        for number in range(10):
            fleet.reset(T0 + minute * 60 * SECOND + number, sent={"service": "steady"})
        for number in range(40 if minute >= 0 else 10):
            fleet.reset(T0 + minute * 60 * SECOND + number, sent={"service": "worse"})
    # As many more, but all at once: a burst says little.
    for number in range(600):
        fleet.reset(T0 + 5 * 60 * SECOND + number, sent={"service": "burst"})
    fleet.join()
    answer = {r["service"]: r for r in rows(capsys, str(tmp_path / "lake"), "changed", "--since", f"@{T0 // SECOND}")}
    assert answer["worse"]["significant"] and answer["worse"]["times"] == pytest.approx(4, rel=0.1)
    assert not answer["steady"]["significant"] and not answer["burst"]["significant"]


def test_sql_is_printed(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", lake, "top", "--sql"]) == 0
    assert "FROM sent_records" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["ask", "L", "who", "--client", "x:1", "--at", "@1"], ["ask", "L", "who", "--client", "1.2.3.4:99999", "--at", "@1"],
     ["ask", "L", "top", "--top", "0"], ["join", "a*b"], ["ask", "L", "nothing"], [], ["join", "L", "--hours", "yesterday"],
     ["join", "L", "--master", "local"]])
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 64
    assert "Traceback" not in capsys.readouterr().err


def test_empty_lakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["join", str(tmp_path)]) == 1
    assert main(["ask", str(tmp_path), "top"]) == 1
    write(tmp_path / "a.ndjson", [record("health")])
    assert main(["ingest", str(tmp_path / "a.ndjson"), "-o", str(tmp_path / "lake")]) == 0
    assert main(["ask", str(tmp_path / "lake"), "middlebox"]) == 1
    assert "not joined yet" in capsys.readouterr().err
    assert main(["join", str(tmp_path / "lake")]) == 0
    for question in (["middlebox"], ["top"], ["coverage"], ["who", "--client", "10.0.0.1", "--at", f"@{T0 // SECOND}"]):
        assert main(["ask", str(tmp_path / "lake"), *question]) == 0
    assert main(["ask", str(tmp_path / "lake"), "changed", "--since", f"@{T0 // SECOND}"]) == 1


def test_significance() -> None:
    assert stats.p_value(100, 10, 100, 10, 1) == pytest.approx(1, abs=0.1)
    assert stats.p_value(0, 10, 10, 10, 1) == pytest.approx(2 / 1024)
    assert stats.p_value(5000, 10, 5500, 10, 1) < 1e-5
    assert stats.p_value(5000, 10, 5500, 10, 100) > 0.05
    assert stats.p_value(10, 1, 100, 10, 1) > 0.5
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.dispersion(10, 10, 10) == 1 and stats.dispersion(100, 10_000, 10) == pytest.approx(100)
