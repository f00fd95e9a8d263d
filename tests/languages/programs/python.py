# SPDX-License-Identifier: Apache-2.0
"""Python in the tests that all languages share."""

import sys
from pathlib import Path

from helpers.committed_modules import LAYERS, OUTPUT, PROJECT, run

from generator.languages.language import ModuleOptions

from . import Command, User

MODULES = OUTPUT / "python"
# Isolated, without site-packages, with warnings as errors: nothing but the standard library is there.
ALONE = ("-I", "-S", "-B", "-W", "error")


def dump(interpreter: str | Path, into: Path) -> None:
    """Write what the modules of layers hold, with some Python."""
    run(interpreter, *ALONE, PROJECT / "tests/languages/python/dump.py", MODULES, into, *LAYERS)


def files(interpreter: str | Path) -> Command:
    """Return the command that asks the writer of layers on top, with some Python."""
    return [interpreter, *ALONE, PROJECT / "tests/languages/python/files.py", MODULES]


def _image(_: Path) -> Command:
    return ["env", f"PYTHONPATH={MODULES}", sys.executable, "-B", "-W", "error", PROJECT / USER.source]


USER = User(
    options=(ModuleOptions("m"), ModuleOptions("m" * 60)),
    dump=lambda _, into: dump(sys.executable, into),
    files=lambda _: files(sys.executable),
    image=_image,
    trees=False,
    source="examples/python/image.py",
    formatter=("ruff", "format", "--isolated", "--check", "--quiet"),
)
