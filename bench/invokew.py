# SPDX-License-Identifier: Apache-2.0
"""Tell what ./invokew costs beyond plain invoke from its second use on: python bench/invokew.py [ROUNDS]."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).absolute().parents[1]
COMMANDS = {
    "invoke": [str(PROJECT / ".venv/bin/invoke"), "--search-root", str(PROJECT), "--list"],
    "invokew": [str(PROJECT / "invokew"), "--list"],
}


def milliseconds(command: list[str]) -> float:
    """Return the wall time of one run of *command*."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return (time.perf_counter() - start) * 1000


def main(rounds: int = 51) -> None:
    """Run both in turn *rounds* times and print the medians."""
    for command in COMMANDS.values():
        milliseconds(command)  # the first use, and files into the cache
    times = [{name: milliseconds(command) for name, command in COMMANDS.items()} for _ in range(rounds)]
    plain, wrapped = (statistics.median(each[name] for each in times) for name in COMMANDS)
    print(f"invoke {plain:.1f} ms, invokew {wrapped:.1f} ms: {wrapped - plain:+.1f} ms, ratio {wrapped / plain:.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
