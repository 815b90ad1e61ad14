#!/usr/bin/env python3
"""Compares what a join found with the truth of `generate.py`.  bench/score.py OUT: prints one line of JSON."""

from __future__ import annotations

import json
import sys

import duckdb


def score(out: str) -> dict[str, float]:
    """Precision and recall of the pairs (a pair is right if both records are of one connection; it can be found if a record of
    the connection came from either end) and of what was said to be injected."""
    run = duckdb.connect().execute
    lake, truth = f"{out}/lake", f"'{out}/truth.parquet'"
    pairs, right = run(
        f"SELECT count(*), count(*) FILTER (WHERE r.connection = s.connection) FROM '{lake}/pairs/*/*.parquet' p"
        f" JOIN {truth} r ON r.id = p.received_id JOIN {truth} s ON s.id = p.sent_id").fetchall()[0]
    received = f"read_parquet('{lake}/records/*/kind=received/*.parquet', hive_partitioning = false, union_by_name = true)"
    sent = received.replace("received", "sent")
    findable = run(
        f"SELECT count(*) FROM {received} r JOIN {truth} t USING (id) WHERE t.connection IN"
        f" (SELECT connection FROM {sent} s JOIN {truth} USING (id))").fetchall()[0][0]
    injected = run(f"SELECT count(*) FROM {received} r JOIN {truth} t USING (id) WHERE connection < 0").fetchall()[0][0]
    named, really = run(
        f"SELECT count(*), count(*) FILTER (WHERE t.connection < 0) FROM '{lake}/unsent/*/*.parquet' u"
        f" JOIN {truth} t USING (id) WHERE evidence IS NOT NULL").fetchall()[0]
    return {
        "pairs": pairs, "precision": right / max(pairs, 1), "recall": right / max(findable, 1),
        "injected": injected, "injected_named": named, "injected_precision": really / max(named, 1),
        "injected_recall": really / max(injected, 1)}


if __name__ == "__main__":
    print(json.dumps(score(sys.argv[1])))
