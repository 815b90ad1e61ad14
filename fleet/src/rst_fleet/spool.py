"""Reads spool files line by line, however damaged: the slow way, for files that have something wrong."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from .record import LONGEST_LINE

SUFFIXES = (".ndjson", ".jsonl", ".json")
COMPRESSIONS = (".gz", ".zst")


class SpoolError(Exception):
    """A file could not be read to its end: a phrase."""


def find(inputs: list[str]) -> tuple[list[str], list[str]]:
    """The spool files among files and directories (read recursively), sorted; and complaints, one sentence each.

    A file that is still being written (.tmp) is left alone, as is what is hidden.
    """
    found: list[str] = []
    complaints: list[str] = []
    for path in inputs:
        if os.path.isdir(path):
            for directory, directories, names in os.walk(path):
                directories[:] = sorted(name for name in directories if not name.startswith("."))
                found += [os.path.join(directory, name) for name in sorted(names) if _is_spool(name)]
        elif os.path.isfile(path):
            found.append(path)
        else:
            complaints.append(f"{path}: no such file or directory")
    return list(dict.fromkeys(found)), complaints


def _is_spool(name: str) -> bool:
    base, suffix = os.path.splitext(name)
    if suffix in COMPRESSIONS:
        suffix = os.path.splitext(base)[1]
    return suffix in SUFFIXES and not name.startswith(".")


def lines(path: str) -> Iterator[bytes]:
    """The lines of a file without their newlines, empty ones too; a last one that is incomplete, too.

    A line that is longer than `LONGEST_LINE` is given up to a byte beyond that. Raises SpoolError where the file ends early
    or cannot be read, after the lines before it.
    """
    try:
        with _open(path) as stream:
            while line := stream.readline(LONGEST_LINE + 2):
                if line.endswith(b"\n"):
                    yield line[:-1]
                    continue
                yield line
                # The rest of a line that is too long.
                while line and not line.endswith(b"\n"):
                    line = stream.readline(LONGEST_LINE)
    except EOFError:
        raise SpoolError("the compressed data ends early") from None
    except (OSError, zlib.error) as error:
        raise SpoolError(getattr(error, "strerror", None) or str(error)) from None


@contextlib.contextmanager
def _open(path: str) -> Iterator[BinaryIO]:
    if path.endswith(".gz"):
        with gzip.open(path, "rb") as stream:
            yield stream  # type: ignore[misc]
    elif path.endswith(".zst"):
        program = shutil.which("zstd")
        if program is None:
            raise SpoolError("reading a damaged .zst file takes the program zstd")
        with subprocess.Popen(
            [program, "-dc", "--", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout and process.stderr
            yield process.stdout  # type: ignore[misc]
            if process.wait() != 0:
                raise SpoolError("the compressed data ends early or is damaged")
    else:
        with open(path, "rb") as stream:
            yield stream
