# SPDX-License-Identifier: Apache-2.0
"""Entry point of ``python -m generator`` in a checkout and of the installed program ``winscratch``.

The plain staleness check, which runs on every commit, skips the command-line parser.
"""

import sys

from .base import home
from .base.console import say, status_of
from .base.errors import EXIT_OK
from .generation import unchanged


def main(arguments: list[str] | None = None) -> int:
    """Run the command in *arguments*, by default the process's own; return the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    return status_of(lambda: _run(words))


def tasks(root: str, words: list[str]) -> int:
    """Run a task or command for ``./invokew`` in the checkout at *root*; return the exit status."""

    def run() -> int:
        from .cli import invoke_program

        return invoke_program.main(root, words)

    return status_of(run)


def _run(words: list[str]) -> int:
    if home.CHECKOUT and words == ["check-stale"] and unchanged.settles(home.ROOT):
        say(unchanged.FRESH)
        return EXIT_OK
    from .cli import parser

    return parser.main(words)


if __name__ == "__main__":
    sys.exit(main())
