"""The Grafana dashboard: valid, and every query of it answers something from a real Prometheus that scrapes such metrics."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
DASHBOARD = REPOSITORY / "fleet/grafana/rst-analyze.json"
FETCHED = REPOSITORY / ".build/prometheus/usr/bin"

#: As `watch --metrics` writes them (docs/records.md), at the second look of a few seconds.
METRICS = """\
# TYPE rst_resets_total counter
rst_resets_total{{direction="sent",cause="abort-on-close",certainty="proven",unit="shop.service",container=""}} {n}
rst_resets_total{{direction="sent",cause="closed-port",certainty="proven",unit="",container=""}} {n}
rst_resets_total{{direction="received",cause="injected",certainty="inferred",unit="",container=""}} {n}
# TYPE rst_events_lost_total counter
rst_events_lost_total{{where="ring"}} {n}
# TYPE rst_watch_lag_seconds gauge
rst_watch_lag_seconds 0.612
# TYPE rst_analyze_build_info gauge
rst_analyze_build_info{{version="0.1.0"}} 1
"""


def panels() -> list[dict[str, Any]]:
    return json.loads(DASHBOARD.read_text())["panels"]


def queries() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_the_dashboard_is_whole() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert dashboard["title"] and dashboard["uid"] and dashboard["schemaVersion"] >= 36
    identities = [panel["id"] for panel in panels()]
    assert len(identities) == len(set(identities))
    places: set[tuple[int, int]] = set()
    for panel in panels():
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24 and panel["title"]
        cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])}
        assert not cells & places, panel["title"]
        places |= cells
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert names == {"datasource", "instance"}


def test_only_metrics_that_are_documented() -> None:
    import re

    documented = set(re.findall(r"`(rst_[a-z_]+)`", (REPOSITORY / "docs/records.md").read_text()))
    assert set(re.findall(r"rst_[a-z_]+", " ".join(queries()))) <= documented


class Handler(http.server.BaseHTTPRequestHandler):
    number = 0

    def do_GET(self) -> None:
        Handler.number += 7
        body = METRICS.format(n=Handler.number).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("prometheus") or shutil.which("prometheus", path=str(FETCHED))
    if program is None:
        pytest.skip("no Prometheus; scripts/fetch-prometheus .build/prometheus fetches it")
    path = tmp_path_factory.mktemp("prometheus")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: rst-analyze\n    static_configs:\n"
        f"      - targets: ['127.0.0.1:{server.server_port}']\n")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with open(path / "log", "w") as log, subprocess.Popen(
        [program, f"--config.file={path}/prometheus.yml", f"--storage.tsdb.path={path}/data",
         f"--web.listen-address=127.0.0.1:{port}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        env=os.environ | {"GOMAXPROCS": "1"}) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            server.shutdown()


def ask(url: str, query: str) -> list[Any]:
    with urllib.request.urlopen(f"{url}/api/v1/query?" + urllib.parse.urlencode({"query": query}), timeout=10) as answer:
        return json.loads(answer.read())["data"]["result"]


def test_every_query_answers(prometheus: str) -> None:
    for _ in range(120):
        try:
            if ask(prometheus, "count_over_time(rst_watch_lag_seconds[1m]) >= 4"):
                break
        except (OSError, urllib.error.HTTPError):
            pass
        time.sleep(0.25)
    else:
        raise AssertionError("Prometheus has scraped nothing")
    for query in queries():
        for variable, value in (("$__rate_interval", "1m"), ("$__range", "1m"), ("$instance", ".*")):
            query = query.replace(variable, value)
        assert "$" not in query
        assert ask(prometheus, query), query
