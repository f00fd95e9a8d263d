# SPDX-License-Identifier: Apache-2.0
"""JavaScript in the tests that all languages share: Node, and what npm brings."""

from pathlib import Path

from consumers import LAYERS, OUTPUT, PROJECT, run
from support import need

from generator.languages.language import Options

from . import Command, User

MODULES = OUTPUT / "javascript"


def dump(interpreter: str | Path, into: Path, *flags: str) -> None:
    """Write what the modules of layers hold, with something that runs JavaScript."""
    run(interpreter, *flags, PROJECT / "tests/javascript/dump.js", MODULES, into, *LAYERS)


def files(interpreter: str | Path, *flags: str) -> Command:
    """Return the command that asks the writer of layers on top, with something that runs JavaScript."""
    return [interpreter, *flags, PROJECT / "tests/javascript/files.js", MODULES / "windows-files.js"]


USER = User(
    options=(Options("m"), Options("m" * 60)),
    dump=lambda _, into: dump(need("node"), into),
    files=lambda _: files(need("node")),
    image=lambda _: [need("node"), PROJECT / USER.source],
    trees=False,
    source="examples/javascript/image.js",
)
