# SPDX-License-Identifier: Apache-2.0
"""Lines of a tree on a terminal, in a pager or a file, each shown as it comes.

What a layer or hive holds is foreign: control characters, bidirectional marks and what a log takes for commands are
escaped here, and what is long is cut, whatever the place that it goes to.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from ..base import console
from ..base.console import Verbatim
from ..base.errors import visible

MOST_TEXT: Final = 200  # characters that a line shows of one text
_STYLES: Final = {
    "title": "bold",
    "name": "cyan",
    "key": "yellow",
    "type": "magenta",
    "data": "green",
    "word": "bold blue",
    "bad": "bold red",
    "old": "red",
    "new": "green",
}
_LEAST_WIDTH: Final = 20  # columns; nothing that can be read fits into less
_NARROW: Final = 60  # columns; below, branches are short
Put = Callable[["TreeLine"], None]


class TreeLine(NamedTuple):
    """A line of a tree: its level, 0 for the top, and its parts, each a style and a text.

    *last* says that nothing follows on its level below the same line. A *remark* belongs to what is above it and is no
    branch of the tree.
    """

    level: int
    parts: tuple[tuple[str, str], ...]
    last: bool = True
    remark: bool = False

    def text(self) -> str:
        """Return the parts as text, fit for a line."""
        return "  ".join(fit(text) for _, text in self.parts if text).rstrip()


def fit(text: str, most: int = MOST_TEXT) -> str:
    """Return *text* fit to stand in a line: escaped where it has to be, and cut where it is long."""
    cut = text[:most]
    shown = visible(cut)
    return shown if len(text) <= most else f"{shown}… ({len(text):,} characters)"


@contextlib.contextmanager
def screen(*, plain: bool) -> Iterator[Put]:
    """Give what puts a line on standard output: drawn and coloured for a terminal, in a pager if there is one.

    It is indented text alone where *plain*, or where standard output is no terminal.
    """
    if columns(plain=plain) is None:
        yield lambda line: console.say(Verbatim("  " * line.level + line.text()))
        return
    with _paged() as write:
        yield _Drawn(write).put


def columns(*, plain: bool) -> int | None:
    """Return how wide the terminal is that lines are drawn on, None where they are not."""
    return None if plain or not _is_drawn() else max(_LEAST_WIDTH, shutil.get_terminal_size().columns)


def _is_drawn() -> bool:
    """Tell whether standard output is a terminal that can do more than show letters, or is to be taken for one."""
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM", "") not in {"dumb", "unknown"}


class _Drawn:
    """Draws the branches of a tree, and colours its parts."""

    def __init__(self, write: Callable[[str], None]) -> None:
        from rich.console import Console

        self._write = write
        width = columns(plain=False) or _NARROW
        self._console = Console(
            width=width, force_terminal=True, highlight=False, markup=False, emoji=False, soft_wrap=False
        )
        # Whether more follows on each level.
        self._more: list[bool] = []
        dash = "" if width < _NARROW else "─"
        self._marks = "│", f"├{dash}", f"└{dash}"
        encoding = (sys.stdout and sys.stdout.encoding) or "ascii"
        try:
            "".join(self._marks).encode(encoding)
        except UnicodeEncodeError:
            self._marks = "|", "|" + dash.replace("─", "-"), "`" + dash.replace("─", "-")

    def put(self, line: TreeLine) -> None:
        from rich.text import Text

        along, branch, end = self._marks
        step = len(branch) + 1
        self._more[line.level :] = [not line.last]
        self._more += [False] * (line.level + 1 - len(self._more))
        before = "".join((along if self._more[level] else "").ljust(step) for level in range(1, line.level))
        if line.remark or not line.level:
            first = rest = " " * (step * line.level)
        else:
            first = before + (end if line.last else branch).ljust(step)
            rest = before + ("" if line.last else along).ljust(step)
        most = self._console.width // 2  # of a deep tree the outer branches go first
        first, rest = first[-most:] if first else "", rest[-most:] if rest else ""
        text = Text()
        for style, part in line.parts:
            if part:
                text.append("  " if text else "").append(fit(part), _STYLES.get(style))
        room = self._console.width - len(first)
        pieces = [text] if text.cell_len <= room else text.wrap(self._console, room, overflow="fold")
        with self._console.capture() as drawn:
            for number, piece in enumerate(pieces):
                piece.rstrip()
                self._console.print(Text.assemble((rest if number else first, "dim"), piece), soft_wrap=True)
        self._write(drawn.get().removesuffix("\n"))


@contextlib.contextmanager
def _paged() -> Iterator[Callable[[str], None]]:
    """Give what writes a line to the user's pager, or to standard output where there is none, as git does."""
    try:
        pager = shlex.split(os.environ.get("PAGER", "less"))
    except ValueError:  # a quotation mark without its other half
        pager = []
    if not (sys.stdout is not None and sys.stdout.isatty() and pager and pager != ["cat"] and shutil.which(pager[0])):
        yield lambda text: console.say(Verbatim(text))
        return
    encoding = sys.stdout.encoding or "utf-8"
    environment = {"LESS": "FRX", "LV": "-c"} | dict(os.environ)
    process = subprocess.Popen(pager, stdin=subprocess.PIPE, env=environment)
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    pipe = process.stdin

    def write(text: str) -> None:
        try:
            pipe.write((text + "\n").encode(encoding, "backslashreplace"))
            pipe.flush()
        except OSError as error:
            raise console.ReaderGoneError from error

    try:
        with contextlib.suppress(console.ReaderGoneError):
            yield write
    finally:
        with contextlib.suppress(OSError):
            pipe.close()
        while process.poll() is None:
            with contextlib.suppress(KeyboardInterrupt):  # which is the pager's to deal with
                process.wait()


def put_all(lines: Iterable[TreeLine], put: Put) -> None:
    """Put all *lines*."""
    for line in lines:
        put(line)
