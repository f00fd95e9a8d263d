# SPDX-License-Identifier: Apache-2.0
"""Print the lines of a tree to a terminal, a pager or a pipe, one by one as they are made.

Text from layers and hives is untrusted: control characters, bidirectional marks and workflow commands of CI logs are
escaped here, and long text is cut, for every output.
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
from ..base.errors import shorten, visible

MOST_TEXT: Final = 200  # characters shown of one text
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
_LEAST_WIDTH: Final = 20  # columns; less is unreadable
_NARROW: Final = 60  # columns; below, branches are short
Put = Callable[["TreeLine"], None]


class TreeLine(NamedTuple):
    """A line of a tree: its level, 0 for the top, and its parts, each a style and a text.

    *last* is true for the last child of its parent. A *remark* belongs to the line above it and gets no branch.
    *whole* is a text of which *parts* has only the beginning, to search in.
    """

    level: int
    parts: tuple[tuple[str, str], ...]
    last: bool = True
    remark: bool = False
    whole: str = ""

    def is_bad(self) -> bool:
        """Return whether the line shows damage."""
        return any(style == "bad" for style, _ in self.parts)

    def contains(self, folded: str) -> bool:
        """Return whether a part, or the whole text, contains a text in folded case."""
        return any(folded in text.casefold() for text in (self.whole, *(text for _, text in self.parts)))

    def text(self) -> str:
        """Return the parts as one line of escaped text."""
        return "  ".join(fit(text) for _, text in self.parts if text).rstrip()


def fit(text: str) -> str:
    """Return *text* for one line: cut after MOST_TEXT characters and escaped."""
    return visible(shorten(text, MOST_TEXT, measured=True))


@contextlib.contextmanager
def screen(*, plain: bool) -> Iterator[Put]:
    """Yield a function that prints a line: with branches and colours on a terminal, through a pager if there is one.

    If *plain*, or if standard output is not a terminal, it prints indented text.
    """
    if columns(plain=plain) is None:
        yield lambda line: console.say(Verbatim("  " * line.level + line.text()))
        return
    with _paged() as write:
        yield _Drawn(write).put


def columns(*, plain: bool) -> int | None:
    """Return the width of the terminal in columns, None if plain text is printed."""
    if plain or not console.is_terminal(sys.stdout):
        return None
    return max(_LEAST_WIDTH, shutil.get_terminal_size().columns)


class _Drawn:
    """Prints lines with the branches of the tree and with colours."""

    def __init__(self, write: Callable[[str], None]) -> None:
        from rich.console import Console

        self._write = write
        width = columns(plain=False) or _NARROW
        self._console = Console(width=width, force_terminal=True, highlight=False, markup=False, emoji=False)
        # By level, whether another line follows there.
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
        most = self._console.width // 2  # in a deep tree the outer branches are dropped
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
    """Yield a function that writes a line to the user's pager as git does, or to standard output without one."""
    try:
        pager = shlex.split(os.environ.get("PAGER", "less"))
    except ValueError:  # unbalanced quotation marks
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
            with contextlib.suppress(KeyboardInterrupt):  # the pager handles it
                process.wait()


def chosen(lines: Iterable[TreeLine], depth: int | None, find: str | None) -> Iterator[TreeLine]:
    """Yield the *lines* down to a *depth*, or that contain the text *find* in any case, below those that lead to them.

    Damage is always yielded, and remarks with the line that they belong to.
    """
    wanted = find.casefold() if find else ""
    above: list[TreeLine] = []
    printed = 0  # of them
    for line in lines:
        if depth is not None and line.level - line.remark > depth and not line.is_bad():
            continue
        if not wanted:
            yield line
            continue
        while above and above[-1].level >= line.level:
            above.pop()
        above.append(line._replace(last=line.level == 0))
        printed = min(printed, len(above) - 1)
        if line.is_bad() or (line.level and line.contains(wanted)):
            yield from above[printed:]
            printed = len(above)
        if line.remark:
            above.pop()
