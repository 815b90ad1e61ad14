from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import T0, record, stored, write

from rst_fleet import writer
from rst_fleet.engines import EngineError
from rst_fleet.engines.duck import DuckEngine
from rst_fleet.ingest import ingest
from rst_fleet.lake import HOUR


def test_partitions_by_hour_and_kind(engine: DuckEngine, tmp_path: Path) -> None:
    write(tmp_path / "spool/h1/a.ndjson", [record(), record("received"), record("health"), record(ts=T0 + HOUR)])
    write(tmp_path / "spool/h1/b.ndjson.tmp", ["still being written"])
    result = ingest(engine, [str(tmp_path / "spool")], str(tmp_path / "lake"))
    assert (result.lines, result.written, result.files, result.bad.total()) == (4, 4, 1, 0)
    assert {str(p.parent.relative_to(tmp_path / "lake/records")) for p in (tmp_path / "lake/records").rglob("*.parquet")} == {
        "hour=2026111811/kind=sent", "hour=2026111811/kind=received", "hour=2026111811/kind=health", "hour=2026111812/kind=sent"}


def test_again_and_late(engine: DuckEngine, tmp_path: Path) -> None:
    lines = [record() for _ in range(20)]
    first, late = write(tmp_path / "a.ndjson", lines[:12]), write(tmp_path / "b.ndjson", lines[8:] + lines[15:])
    lake = str(tmp_path / "lake")
    assert ingest(engine, [str(first)], lake).written == 12
    again = ingest(engine, [str(first), str(late)], lake)
    assert (again.written, again.duplicates) == (8, 12 + 4 + 5)
    assert sorted(row[0] for row in stored(engine, tmp_path / "lake", "record_id")) == sorted(line["record_id"] for line in lines)


def test_corrections_replace(engine: DuckEngine, tmp_path: Path) -> None:
    """In one file, in a later one, and as the older one that comes late; also over the edge of an hour."""
    lake = str(tmp_path / "lake")
    same, later, old = record(), record(ts=T0 // HOUR * HOUR + HOUR - 1), record()
    revised = [line | {"revision": 1, "cause": "injected"} for line in (same, later, old)]
    revised[1]["ts"] += 5
    write(tmp_path / "1/a.ndjson", [same, revised[0], later, revised[2]])
    write(tmp_path / "2/b.ndjson", [revised[1], old])
    assert ingest(engine, [str(tmp_path / "1")], lake).written == 3
    second = ingest(engine, [str(tmp_path / "2")], lake)
    assert (second.written, second.corrected, second.duplicates) == (1, 1, 1)
    assert [row[:2] for row in stored(engine, tmp_path / "lake", "cause, revision, record_id")] == [("injected", 1)] * 3


def test_bad_lines_are_kept_aside(engine: DuckEngine, tmp_path: Path) -> None:
    good = [record(), record("received", weather="fine")]
    bad = ["nonsense", '{"schema":"rst-record/2"}', json.dumps(record(seq=2**40)), json.dumps(record(ts=None)), b"\xff\xfe", "[]"]
    write(tmp_path / "s/good.ndjson", [record()])
    write(tmp_path / "s/mixed.ndjson", [good[0], *bad, "", good[1]])
    result = ingest(engine, [str(tmp_path / "s")], str(tmp_path / "lake"))
    assert (result.written, result.lines, result.bad.total()) == (3, 9, 6)
    assert result.rejected
    kept = [json.loads(line) for line in open(result.rejected, encoding="utf-8")]
    assert [entry["line"] for entry in kept] == [2, 3, 4, 5, 6, 7]
    assert kept[0] == {"file": str(tmp_path / "s/mixed.ndjson"), "line": 2, "why": "not JSON", "text": "nonsense"}
    assert kept[4]["text"] == "\\xff\\xfe"


def test_values_of_another_type_that_can_be_read(engine: DuckEngine, tmp_path: Path) -> None:
    """Alike in a file that is read at once and in one that is read line by line."""
    odd = record(sport="8080", host=5)
    write(tmp_path / "a.ndjson", [odd])
    write(tmp_path / "b.ndjson", [odd | {"record_id": "0" * 32}, "nonsense"])
    result = ingest(engine, [str(tmp_path / "a.ndjson"), str(tmp_path / "b.ndjson")], str(tmp_path / "lake"))
    assert result.written == 2
    assert stored(engine, tmp_path / "lake", "host, sport") == [("5", 8080)] * 2


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_compressed_and_cut_off(engine: DuckEngine, tmp_path: Path, suffix: str) -> None:
    if suffix == ".zst" and not shutil.which("zstd"):
        pytest.skip("no zstd")
    lines = [record(summary=f"{i * 2654435761 % 2**32:x}" * 20) for i in range(4000)]
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    packed = gzip.compress(data) if suffix == ".gz" else subprocess.run(["zstd", "-c"], input=data, capture_output=True).stdout
    (tmp_path / f"whole.ndjson{suffix}").write_bytes(packed)
    (tmp_path / f"cut.ndjson{suffix}").write_bytes(packed[: len(packed) * 2 // 3])
    whole = ingest(engine, [str(tmp_path / f"whole.ndjson{suffix}")], str(tmp_path / "lake1"))
    assert (whole.written, whole.complaints) == (4000, [])
    cut = ingest(engine, [str(tmp_path / f"cut.ndjson{suffix}")], str(tmp_path / "lake2"))
    assert 100 < cut.written < 4000
    assert cut.bad.total() <= 1  # the line at the cut
    assert len(cut.complaints) == 1 and "the compressed data ends early" in cut.complaints[0]


def test_odd_files(engine: DuckEngine, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s/empty.ndjson").touch()
    (tmp_path / "s/empty.ndjson.gz").touch()
    (tmp_path / "s/noise.ndjson.gz").write_bytes(bytes(range(256)) * 8)
    (tmp_path / "s/zeros.ndjson").write_bytes(bytes(5000))
    (tmp_path / "s/it's.ndjson").write_text(json.dumps(record()) + "\n" + json.dumps(record()))  # no last newline
    (tmp_path / "s/long.ndjson").write_bytes(b'{"x":"' + b"y" * (3 << 20) + b'"}\n' + json.dumps(record()).encode() + b"\r\n")
    result = ingest(engine, [str(tmp_path / "s"), str(tmp_path / "absent")], str(tmp_path / "lake"))
    assert result.written == 3
    assert result.bad == {"not JSON": 1, "longer than 1 MiB": 1}
    assert {complaint.split(": ")[0].rsplit("/")[-1] for complaint in result.complaints} == {"absent", "noise.ndjson.gz"}


def test_old_files_with_fewer_columns(engine: DuckEngine, tmp_path: Path) -> None:
    """Schema evolution by name: a column that a file does not have is null, and one more does no harm."""
    directory = tmp_path / "lake/records/hour=2026111811/kind=sent"
    directory.mkdir(parents=True)
    engine.run(f"COPY (SELECT 1::BIGINT AS id, 'x' AS host, {T0} AS ts, 5 AS novel) TO '{directory}/old.parquet'")
    write(tmp_path / "a.ndjson", [record()])
    ingest(engine, [str(tmp_path / "a.ndjson")], str(tmp_path / "lake"))
    assert len(stored(engine, tmp_path / "lake", "id")) == 2


def test_an_hour_of_many_files_is_rewritten(engine: DuckEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MOST_FILES", 3)
    for number in range(5):
        write(tmp_path / f"{number}.ndjson", [record(), record("received")])
        ingest(engine, [str(tmp_path / f"{number}.ndjson")], str(tmp_path / "lake"))
    assert len(list((tmp_path / "lake/records").rglob("*.parquet"))) <= 2 * 3
    assert len(stored(engine, tmp_path / "lake", "id")) == 10


def test_a_crash_while_files_are_replaced(engine: DuckEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = record()
    write(tmp_path / "a.ndjson", [first, record()])
    write(tmp_path / "b.ndjson", [first | {"revision": 1}])
    ingest(engine, [str(tmp_path / "a.ndjson")], str(tmp_path / "lake"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(writer.os, "unlink", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        ingest(engine, [str(tmp_path / "b.ndjson")], str(tmp_path / "lake"))
    again = ingest(engine, [str(tmp_path / "b.ndjson")], str(tmp_path / "lake"))
    assert again.duplicates == 1
    assert stored(engine, tmp_path / "lake", "coalesce(revision, 0)") == [(0,), (1,)]
    assert not [path for path in (tmp_path / "lake").iterdir() if path.name.startswith(".new-")]


def test_one_at_a_time(engine: DuckEngine, tmp_path: Path) -> None:
    with writer.LakeWriter(engine, str(tmp_path / "lake")), pytest.raises(EngineError, match="another ingest"):
        ingest(engine, [], str(tmp_path / "lake"))
