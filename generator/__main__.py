# SPDX-License-Identifier: Apache-2.0
"""``python -m generator`` in a checkout, and the installed program ``winscratch``.

The bare staleness check, which runs on every commit, does without the command line's parser.
"""

import sys

from .base import home
from .base.console import say, status_of
from .base.errors import EXIT_OK
from .generation import unchanged


def main(arguments: list[str] | None = None) -> int:
    """Run the command that *arguments* name, by default those of the process; return its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    return status_of(lambda: _run(words))


def tasks(root: str, words: list[str]) -> int:
    """Run Invoke for ``./invokew`` on the tasks of the checkout at *root*; return the exit status."""

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
