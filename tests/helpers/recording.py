# SPDX-License-Identifier: Apache-2.0
"""Record README's picture of a terminal: run its commands in one, and draw the text with its colours as SVG.

``python3 tests/helpers/recording.py`` makes the picture anew; ``--check`` fails if it would change.
"""

import errno
import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # run as a program from any folder

from helpers.document_blocks import Session  # noqa: E402

PICTURE = ROOT / "docs/session.svg"
COLUMNS, ROWS = 100, 50
COMMANDS = (
    "winscratch image hello.exe --entrypoint hello.exe --to oci:out:v1",
    "winscratch check-image oci:out:v1",
    r"winscratch inspect scratch --path 'UtilityVM/Files/EFI/Microsoft/Boot/BCD\Description'",
)
_THEME = TerminalTheme(
    (13, 17, 23),
    (201, 209, 217),
    [
        (72, 79, 88),
        (255, 123, 114),
        (63, 185, 80),
        (210, 153, 34),
        (88, 166, 255),
        (188, 140, 255),
        (57, 197, 207),
        (177, 186, 196),
    ],
)
_FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="title">
<title id="title">A terminal: winscratch makes an image, checks it, and shows a key of a base layer</title>
<style>
text {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px;
  line-height: {line_height}px; white-space: pre; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}</defs>
<rect fill="#0d1117" width="{width}" height="{height}" rx="8" />
<g transform="translate({terminal_x}, 12)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def in_terminal(session: Session, command: str) -> str:
    """Return what *command* prints to a terminal, with its escape sequences, but without its progress."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**session.environment, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    for name in ("NO_COLOR", "CI", "GITHUB_ACTIONS"):
        environment.pop(name, None)
    with subprocess.Popen(
        ["sh", "-c", command],
        cwd=session.folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    ):
        os.close(theirs)
        printed = b""
        try:
            while part := os.read(ours, 1 << 16):
                printed += part
        except OSError as error:  # Linux's end of a terminal
            if error.errno != errno.EIO:
                raise
        os.close(ours)
    return printed.decode().replace("\r\n", "\n")


def picture() -> str:
    """Return the picture of all commands and of what they print."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Path(folder))
        for command in COMMANDS:
            console.print(Text(f"$ {command}", style="bold"))
            printed = Text.from_ansi(in_terminal(session, command))
            printed.rstrip()
            console.print(printed)
    made = console.export_svg(theme=_THEME, code_format=_FORMAT, unique_id="t")
    return "\n".join(line.rstrip() for line in made.splitlines()) + "\n"


if __name__ == "__main__":
    made = picture()
    if sys.argv[1:] == ["--check"]:
        sys.exit(f"{PICTURE.relative_to(ROOT)} is out of date" if PICTURE.read_text("utf-8") != made else None)
    PICTURE.write_text(made, "utf-8")
