"""The command line of rst-fleet."""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
import sys
import time
from collections.abc import Sequence

from . import __version__, lake
from . import ask as questions
from .engines import Engine, EngineError
from .ingest import Ingested, ingest
from .join import hours, join_hour
from .output import FORMATS, render, time_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 failed, 2 something was left out (bad lines, files that could not be read), 64 usage."""
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as error:
        return 64 if error.code == 2 else int(error.code or 0)
    try:
        return options.run(options)
    except (EngineError, ValueError) as error:
        print(f"rst-fleet: {error}", file=sys.stderr)
        return 64 if isinstance(error, ValueError) else 1
    except OSError as error:
        print(f"rst-fleet: {error.filename or ''}: {error.strerror}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rst-fleet", description="Which service of a fleet resets whom, and who in between: joins the rst-record/1 lines "
        "of many hosts (docs/fleet.md).")
    parser.add_argument("--version", action="version", version=f"rst-fleet {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("ingest", help="bring spool files into a lake of Parquet files")
    command.add_argument("spool", nargs="+", metavar="SPOOL", help="a file (.ndjson, also .gz, .zst) or a directory of them")
    command.add_argument("-o", "--lake", required=True, type=_lake, help="directory of the lake; made if it is not there")
    _engine_options(command, engines=False)
    command.set_defaults(run=_ingest)

    command = commands.add_parser("join", help="pair sent and received RSTs, hour by hour")
    command.add_argument("lake", type=_lake, metavar="LAKE")
    command.add_argument("--hours", metavar="A..B", help="these hours only (2026112102, or times); default: all")
    command.add_argument("--verbose", action="store_true", help="show how long each step took")
    _engine_options(command)
    command.set_defaults(run=_join)
    _ask_options(commands.add_parser("ask", help="ask a joined lake"))
    return parser


def _ask_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("lake", type=_lake, metavar="LAKE")
    questions = command.add_subparsers(required=True, metavar="QUESTION", dest="question")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--hours", metavar="A..B", help="these hours only (2026112102, or times); default: all")
    common.add_argument("--top", type=_positive, default=20, metavar="N", help="at most N rows (default: 20)")
    common.add_argument("--format", choices=FORMATS, default="text", help="default: text; json is one object per line")
    common.add_argument("--sql", action="store_true", help="print the SQL instead of running it")
    _engine_options(common)
    questions.add_parser("top", parents=[common], help="which services reset their peers most, by cause and hour")
    who = questions.add_parser("who", parents=[common], help="who reset a client, and why")
    who.add_argument("--client", required=True, type=_end, metavar="ADDR[:PORT]", help="as its own host sees it")
    who.add_argument("--at", required=True, metavar="TIME", help="2026-11-21T02:30:05Z, or @SECONDS since 1970")
    who.add_argument("--within", type=_positive, default=5, metavar="SECONDS", help="before and after (default: 5)")
    questions.add_parser("middlebox", parents=[common], help="RSTs that somebody in between sent")
    changed = questions.add_parser("changed", parents=[common], help="what has changed since a time, and how sure that is")
    changed.add_argument("--since", required=True, metavar="TIME", help="of the deploy")
    questions.add_parser("coverage", parents=[common], help="which hosts' silence proves something")
    command.set_defaults(run=_ask)


def _engine_options(command: argparse.ArgumentParser, engines: bool = True) -> None:
    if engines:
        command.add_argument("--engine", choices=("duckdb", "spark"), default="duckdb", help="default: duckdb, in this process")
        command.add_argument("--master", metavar="URL", help="with --engine spark: spark://HOST:PORT, yarn, local[2], …")
    command.add_argument("--memory", default="1200MB", metavar="SIZE", help="DuckDB's limit; what exceeds it goes to disk")
    command.add_argument("--threads", type=int, metavar="N", help="DuckDB's threads; default: one per core")


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"{text} is no positive number")
    return int(text)


def _end(text: str) -> tuple[str, int]:
    """An address and a port; 0 if there is none. [::1]:80 for IPv6, as the records write the address."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::([0-9]+))?", text)
    address, port = bracketed.groups() if bracketed else (text, None)
    if not bracketed and text.count(":") == 1:
        address, _, port = text.partition(":")
    try:
        parsed = str(ipaddress.ip_address(address))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: write ADDRESS:PORT, or [ADDRESS]:PORT for IPv6") from None
    number = int(port) if port and port.isdigit() and len(port) < 6 else 0 if port is None else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text}: no such port")
    return parsed, number


def _lake(text: str) -> str:
    if "://" not in text:
        text = os.path.abspath(text)
    if re.search(r"[*?\[\]{}\\]", text):
        raise argparse.ArgumentTypeError(f"{text}: a lake's path cannot contain any of * ? [ ] {{ }} \\")
    return text.rstrip("/")


def _engine(options: argparse.Namespace) -> Engine:
    if options.engine == "spark":
        from .engines.spark import SparkEngine

        return SparkEngine(options.master, f"{options.lake}/.work")
    if options.master is not None:
        raise ValueError("--master needs --engine spark")
    return _duck(options)


def _duck(options: argparse.Namespace):  # noqa: ANN202 - the import below is slow, and Spark does without it
    from .engines.duck import DuckEngine

    return DuckEngine(options.memory, options.threads)


def _ingest(options: argparse.Namespace) -> int:
    started = time.monotonic()
    engine = _duck(options)
    try:
        result = ingest(engine, options.spool, options.lake)
    finally:
        engine.close()
    print(_summary(result, time.monotonic() - started))
    for complaint in result.complaints:
        print(f"rst-fleet: {complaint}", file=sys.stderr)
    for reason, count in result.bad.most_common():
        print(f"rst-fleet: {count:,} {'line' if count == 1 else 'lines'} not ingested: {reason}", file=sys.stderr)
    if result.rejected:
        print(f"rst-fleet: these lines are in {result.rejected}", file=sys.stderr)
    return 2 if result.bad or result.complaints else 0


def _summary(result: Ingested, seconds: float) -> str:
    text = f"{result.lines:,} lines of {result.files:,} files in {seconds:.1f} s: {result.written:,} records written"
    if result.corrected:
        text += f" ({result.corrected:,} of them corrections)"
    if result.duplicates:
        text += f", {result.duplicates:,} already known"
    if result.bad:
        text += f", {result.bad.total():,} bad lines"
    return text + f"; {len(result.hours):,} hours"


def _join(options: argparse.Namespace) -> int:
    first, last = lake.parse_hours(options.hours) if options.hours else (None, None)
    engine = _engine(options)
    try:
        found = hours(engine, options.lake, first, last)
        if not found:
            raise EngineError(f"{options.lake}: no records" + (f" in {options.hours}" if options.hours else ""))
        for hour in found:
            progress = (lambda name, took: print(f"    {took:7.2f} s  {name}", flush=True)) if options.verbose else None
            joined = join_hour(engine, options.lake, hour, progress)
            print(f"{hour}: " + ", ".join(f"{count:,} {name}" for name, count in joined.counts.items())
                  + f"; {joined.seconds:.1f} s", flush=True)
    finally:
        engine.close()
    return 0


def _ask(options: argparse.Namespace) -> int:
    name = options.question
    first, last = lake.parse_hours(options.hours) if options.hours else (None, None)
    parameters: dict[str, object] = {"top": options.top}
    if name == "who":
        at, within = lake.parse_time(options.at), options.within * 1_000_000_000
        address, port = options.client
        parameters |= {"address": address, "port": port, "begin": at - within, "end": at + within}
        first, last = lake.hour_name(at - within), lake.hour_name(at + within)
    if options.sql:
        for step in questions.load(f"ask_{name}"):
            print(f"-- {step.kind}: {step.name}\n{step.query}\n")
        return 0
    engine = _engine(options)
    try:
        first, last = questions.span(engine, options.lake, first, last)
        if name == "changed":
            parameters |= _before_and_after(engine, options, first, last)
        elif name != "who":
            parameters |= {"begin": lake.hour_begin(first), "end": lake.hour_begin(last) + lake.HOUR}
            if name == "coverage" and (watched := questions.bounds(engine, options.lake, first, last, "health")):
                parameters |= {"begin": watched[0], "end": watched[1]}
        answer = questions.ask(engine, options.lake, questions.Question(name, first, last, parameters))
    finally:
        engine.close()
    sys.stdout.write(render(answer, options.format))
    return 0


def _before_and_after(engine: Engine, options: argparse.Namespace, first: str, last: str) -> dict[str, int]:
    """As long before the time as after it, where there are records."""
    since = lake.parse_time(options.since)
    found = questions.bounds(engine, options.lake, first, last)
    if found is None:
        raise EngineError(f"{options.lake}: nothing was sent from hour {first} to {last}")
    begin, end = found
    if not begin < since < end:
        raise ValueError(f"--since {options.since} is not within the records: {time_text(begin)} to {time_text(end)}")
    length = min(since - begin, end - since)
    return {"since": since, "begin": since - length, "end": since + length}
