# SPDX-License-Identifier: Apache-2.0
"""Compare the Go package with buildpacks/imgutil's in one run of Go's own benchmarks: python bench/go.py [COUNT]."""

import re
import statistics
import subprocess
import sys
from pathlib import Path

from table import show

TESTS = Path(__file__).absolute().parents[1] / "tests/languages/go"
GOALS = {"Read": 300, "PushReady": 5000}
LINE = re.compile(r"^Benchmark(\w+)/(\w+)-?\d*\s+\d+\s+([\d.]+) ns/op\s+(\d+) B/op\s+(\d+) allocs/op$", re.MULTILINE)


def main(count: int = 5) -> None:
    """Run the benchmarks *count* times and print the medians."""
    command = ["go", "test", "-run=^$", "-bench=.", "-benchmem", f"-count={count}", "."]
    said = subprocess.run(command, cwd=TESTS, check=True, stdout=subprocess.PIPE, text=True).stdout
    taken: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for name, package, *figures in LINE.findall(said):
        taken.setdefault((name, package), []).append(tuple(map(float, figures)))
    found = {key: [statistics.median(column) for column in zip(*runs, strict=True)] for key, runs in taken.items()}
    rows = []
    for name, goal in GOALS.items():
        ours, theirs = found[name, "winscratch"], found[name, "imgutil"]
        for package, (time, size, allocations) in (("winscratch", ours), ("imgutil", theirs)):
            rows.append([f"{name} {package}", f"{time:,.0f} ns", f"{size:,.0f} B", f"{allocations:.0f}", ""])
        rows[-1][-1] = f"{theirs[0] / ours[0]:,.0f} times (goal {goal:,})"
    show("Go", ("time", "memory", "allocations", "ratio"), rows)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
