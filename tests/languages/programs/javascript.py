# SPDX-License-Identifier: Apache-2.0
"""JavaScript in the tests that all languages share: Node, and what npm brings."""

import fcntl
import functools
import hashlib
import shutil
import sys
from pathlib import Path

from helpers.committed_modules import LAYERS, OUTPUT, PROJECT, run
from helpers.support import need

from generator.languages.language import ModuleOptions

from . import Command, User

MODULES = OUTPUT / "javascript"


def dump(interpreter: str | Path, into: Path, *flags: str) -> None:
    """Write what the modules of layers hold, with something that runs JavaScript."""
    run(interpreter, *flags, PROJECT / "tests/languages/javascript/dump.js", MODULES, into, *LAYERS)


def files(interpreter: str | Path, *flags: str) -> Command:
    """Return the command that asks the writer of layers on top, with something that runs JavaScript."""
    return [interpreter, *flags, PROJECT / "tests/languages/javascript/files.js", MODULES / "windows-files.js"]


@functools.cache
def packages() -> Path:
    """Return the folder of the packages that the lock names, beside Python's; one of several processes fills it."""
    own = PROJECT / "tests/languages/javascript"
    names = ("package.json", "package-lock.json")
    wanted = "".join(own.joinpath(name).read_text("utf-8") for name in names)
    # Another list has another folder, so that no test of another checkout loses what it uses.
    folder = Path(sys.prefix) / f"npm-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"
    folder.mkdir(exist_ok=True)
    with folder.joinpath("lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "done"
        if not done.exists():
            for name in names:
                shutil.copy(own / name, folder)
            run(need("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
            done.touch()
    return folder / "node_modules"


def program(name: str) -> Command:
    """Return the command of a program that npm brings."""
    return [packages() / ".bin" / name]


def _image(folder: Path) -> Command:
    """Put the example and the modules that it imports into a package of their own."""
    for source in (PROJECT / USER.source, MODULES / "windows-files.js", MODULES / "windows-hostprocess.js"):
        shutil.copy(source, folder)
    folder.joinpath("package.json").write_text('{"type": "module"}')
    return [need("node"), folder / "image.js"]


USER = User(
    options=(ModuleOptions("m"), ModuleOptions("m" * 60)),
    dump=lambda _, into: dump(need("node"), into),
    files=lambda _: files(need("node")),
    image=_image,
    trees=False,
    program=program,
    source="examples/javascript/image.js",
    formatter=("prettier", "--no-editorconfig", "--no-config", "--check", "--log-level", "warn"),
)
