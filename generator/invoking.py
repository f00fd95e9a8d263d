# SPDX-License-Identifier: Apache-2.0
"""The program that ./invokew starts: Invoke, but for the exit statuses that have a meaning here."""

from invoke import Program

from . import VERSION
from .errors import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK


class _Program(Program):
    """Invoke, whose status 1 for wrong use is ours for what is stale, and which has none for an interruption."""

    executing = False

    def execute(self) -> None:
        self.executing = True
        super().execute()

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:  # noqa: A002 - Invoke's
        try:
            super().run(argv, exit)
        except SystemExit as end:
            if isinstance(end.__context__, KeyboardInterrupt):
                raise SystemExit(EXIT_INTERRUPTED) from end
            if end.code == 1 and not self.executing:
                raise SystemExit(EXIT_ERROR) from end
            raise


def main(root: str, arguments: list[str]) -> int:
    """Run Invoke on the tasks of the checkout at *root*; return 0, or raise SystemExit with another status."""
    program = _Program(name="winscratch", binary="./invokew", binary_names=["invokew"], version=VERSION)
    program.run(["invokew", "--search-root", root, *arguments])
    return EXIT_OK
