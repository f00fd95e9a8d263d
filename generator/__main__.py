# SPDX-License-Identifier: Apache-2.0
"""``python -m generator check-stale``: the staleness check with nothing but Python's standard library."""

import os
import sys

from .console import note, status_of
from .errors import EXIT_ERROR

USAGE = ("usage: python -m generator check-stale [--json]", "or: python -m generator vendored [--json] [PATH ...]")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # pathlib would cost as much as the check


def main(arguments: list[str]) -> int:
    """Run the command that *arguments* name; return its exit status."""
    return status_of(lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    command, *rest = arguments or [""]
    as_json = "--json" in rest
    paths = [argument for argument in rest if argument != "--json"]
    if command == "check-stale" and not paths:
        from . import pipeline  # each command pays for its own imports

        return pipeline.check(ROOT, as_json=as_json)
    if command == "vendored" and not any(path.startswith("-") for path in paths):
        from pathlib import Path

        from .copies import vendored

        return vendored.check(Path(ROOT), paths or ["."], as_json=as_json)
    for line in USAGE:
        note(line)
    return EXIT_ERROR


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
