# SPDX-License-Identifier: Apache-2.0
"""The command `check-hive`: print a line for each finding in a hive, and a verdict: would Windows load it?"""

import mmap
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ..base import console
from ..base.console import Say, json_document
from ..base.errors import EXIT_ERROR, EXIT_OK, EXIT_STALE, GeneratorError, counted
from ..base.file_kinds import HEAD, HIVE, file_kind
from ..base.reading import open_regular
from .base_block import MAX_LENGTH
from .cells import Buffer
from .reader import Reading, read
from .rules import LIVE, RULES, Level
from .structures import BASE

_MAP_FROM: Final = 1 << 20  # bytes; a smaller file is read at once
VERDICTS: Final = {
    None: "good hive",
    Level.UNUSUAL: "hive that Windows reads",
    Level.DIRTY: "hive that Windows reads with its log",
    Level.REFUSED: "hive that Windows refuses or repairs",
}


def load(path: str | Path) -> Buffer:
    """Return the content of the file at *path*, mapped into memory if it is large.

    Raise GeneratorError with the reason if it is not a regular file, cannot be read, or is larger than any hive. If a
    mapped file is truncated meanwhile, the system ends the process.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > BASE + MAX_LENGTH:
                raise GeneratorError(f"{size:,} bytes are more than the {BASE + MAX_LENGTH:,} that a hive can have")
            if size >= _MAP_FROM:
                try:
                    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                except (OSError, ValueError):
                    pass  # the file system does not support it
            return file.read(BASE + MAX_LENGTH)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise GeneratorError(getattr(error, "strerror", None) or str(error)) from error


def report(
    paths: Iterable[str | Path], as_json: bool = False, *, say: Say = console.say, note: Say = console.note
) -> int:
    """Print the findings and the verdict for each hive in *paths*, or all as one JSON document (*as_json*).

    Return 0, or 1 if Windows would refuse or repair a hive, or 2 if a file cannot be read or is of another known kind.
    """
    status = EXIT_OK
    records: list[dict[str, object]] = []
    for path in paths:
        problem = ""
        try:
            data = load(path)
            kind = file_kind(bytes(data[:HEAD]))
            if kind is not None and kind != HIVE:
                problem = shown = f"not a hive: {kind.name}; hint: {kind.hive_hint.format(path)}"
        except GeneratorError as error:
            problem, shown = str(error), f"cannot be read: {error}"
        if problem:
            status = EXIT_ERROR
            records.append({"path": str(path), "good": False, "error": problem})
            if not as_json:
                note(f"{path}: {shown}")
            continue
        reading = read(data)
        good = reading.level != Level.REFUSED
        status = max(status, EXIT_OK if good else EXIT_STALE)
        counts = {"keys": reading.key_count, "values": reading.value_count, "bytes": len(data)}
        records.append({"path": str(path), "good": good, **counts, **findings(reading)})
        if not as_json:
            for _, line in described(reading):
                say(f"{path}: {line}")
            numbers = [counted(number, name.removesuffix("s")) for name, number in counts.items()]
            say(f"{path}: {VERDICTS[reading.level]}, {', '.join(numbers)}")
    if as_json:
        say(json_document(records))
    return status


def described(reading: Reading) -> Iterator[tuple[Level, str]]:
    """Yield level and text of each finding, and of one more line for all that is normal on a live system."""
    live: dict[str, str] = {}
    counts = Counter(each.rule for each in reading.findings) + Counter(reading.more)
    for each in reading.findings:
        if each.rule not in LIVE:
            yield each.level, f"{each.level}: {each.message}"
        else:
            keys = LIVE[each.rule]
            live[each.rule] = f"{keys} {counted(counts[each.rule], 'key')}" if keys else each.found
    for rule, more in reading.more.items():
        if rule not in LIVE:
            yield RULES[rule].level, f"{RULES[rule].level}: {more:,} more of {rule}"
    if live:
        yield Level.UNUSUAL, f"normal on a live system: {', '.join(live.values())}"


def findings(reading: Reading) -> dict[str, object]:
    """Return the findings of a hive as the values of a JSON document."""
    found = [{"offset": f.offset, "rule": f.rule, "level": f.level, "message": f.message} for f in reading.findings]
    return {"findings": found, "more": dict(reading.more)}
