# SPDX-License-Identifier: Apache-2.0
"""What the benches share: runs taken in turn, so that a slow moment strikes all alike, and a table of ratios."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Python keeps its bytecode, as it does for a user.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def seconds(command: Sequence[str | Path], cwd: Path) -> float:
    """Return the wall time of one run of *command*, which must succeed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return taken


def medians(measures: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Take every measure in turn, *rounds* times after one to warm up, and return the median of each.

    Each round begins with the next measure, so that none always follows the same one.
    """
    names = list(measures)
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            value = measures[name]()
            if number:
                taken[name].append(value)
    return {name: statistics.median(values) for name, values in taken.items()}


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print *rows* under *columns*, the first column flush left."""
    table = [[title, *columns], *map(list, rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    print()
    for row in table:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells).rstrip())
