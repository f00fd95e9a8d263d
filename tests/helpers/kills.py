# SPDX-License-Identifier: Apache-2.0
"""Run the pipeline or ``vendor`` in a process of its own, under strace to kill it at any system call."""

import atexit
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from generator.builder.wire import ROOT
from generator.languages.table import LANGUAGES

from .counts import count
from .small_checkout import ONE
from .support import BUILDER, need

# The program as its tasks run it, without argument parsing.
PROGRAM = """
import sys
from pathlib import Path
from generator.generation import pipeline
from generator.report.report import documents
from generator.base.errors import GeneratorError

try:
    engine, what, *more = sys.argv[1:]
    if what == "vendor":
        from generator.vendoring import vendor
        sys.exit(vendor.vendor(Path.cwd(), *more, "one", "dest"))
    if what == "check":
        sys.exit(pipeline.check(Path.cwd(), documents, environment={}))
    options = pipeline.GenerateOptions(engine, what == "force")
    sys.exit(pipeline.generate(Path.cwd(), documents, options))
except GeneratorError as error:
    sys.exit(f"error: {error}")
"""
CALLS = "write,pwrite64,openat,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,chmod,fchmodat,ftruncate"
ALL = 32  # points of a thorough run; more hit the same calls for other files

Point = tuple[str, int]  # a system call by its name and its number among the calls of that name


def command(what: str = "generate") -> list[str]:
    """Return the command that does *what*: generate, force, check, or vendor and a language."""
    return [sys.executable, "-P", "-c", PROGRAM, BUILDER, *what.split()]


@cache
def bytecode() -> str:
    """Return a folder for bytecode that no other test writes to."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def run(root: Path, what: str = "generate", *before: str) -> subprocess.CompletedProcess[str]:
    """Run the program on *root* in a process of its own, under the command *before* if given."""
    # Bytecode that other tests write would change the number of opened files.
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": bytecode()}
    env["PYTHONUNBUFFERED"] = ""  # would split each line into two writes, and so change the number of kills
    return subprocess.run([*before, *command(what)], cwd=root, env=env, capture_output=True, text=True, check=False)


def trace(root: Path, what: str, log: Path) -> list[Point]:
    """Run the program to its end and return the calls that changed files."""
    traced = run(root, what, need("strace"), "-qq", "-o", str(log), "-e", f"trace={CALLS}")
    assert traced.returncode == 0, traced.stderr
    return points(log.read_text())


def signalled(root: Path, what: str, point: Point, name: str = "SIGKILL") -> subprocess.CompletedProcess[str]:
    """Run the program and send it the signal *name* at *point*; a SIGKILL must have ended it."""
    call, number = point
    inject = ("-e", f"trace={call}", "-e", f"inject={call}:signal={name}:when={number}")
    done = run(root, what, need("strace"), "-qq", "-o", "/dev/null", *inject)
    if name == "SIGKILL":
        assert done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}, (point, done.stderr)
    return done


def points(log: str) -> list[Point]:
    """Return the calls in strace's *log* that changed files."""
    numbers: Counter[str] = Counter()
    found = []
    for name, rest in re.findall(r"^(\w+)\((.*)", log, re.MULTILINE):
        numbers[name] += 1
        if " = -1 E" not in rest and (name != "openat" or "O_CREAT" in rest):
            found.append((name, numbers[name]))
    return found


def sample(found: Sequence[Point], most: int) -> Iterator[Point]:
    """Yield at most *most* points, evenly spread, the last included; in a thorough run at most ALL."""
    # Writing a file takes four calls, so an odd step reaches each of them.
    step = -(-len(found) // count(most, ALL)) | 1
    yield from reversed(found[::-1][::step])


def edit(path: Path, old: str, new: str) -> None:
    """Replace *old*, which must occur, by *new* in a file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def change_templates(root: Path) -> None:
    """Add a comment to the end of each module."""
    changed = 0
    for template in root.glob("templates/*/*.jinja"):
        old = template.read_text()
        if "{{ head }}" in old:
            template.write_text(f"{old.rstrip()}\n{'#' if '.py.' in template.name else '//'} again\n")
            changed += 1
    assert changed >= len(LANGUAGES)


def change_layer(root: Path) -> None:
    edit(root / "generator/layers/one.toml", "before", "after")


def remove_layer(root: Path) -> None:
    (root / "generator/layers/three.toml").unlink()


def add_layer(root: Path) -> None:
    (root / "generator/layers/four.toml").write_text(ONE.replace("ONE", "FOUR"))


def delete_outputs(root: Path) -> None:
    shutil.rmtree(root / "output/go")
    for path in [*root.glob("output/c/*.c"), *root.glob("output/layers/t*"), root / "output/manifest.json"]:
        path.unlink()


SCENARIOS: dict[str, Callable[[Path], None]] = {
    function.__name__: function
    for function in (change_templates, change_layer, remove_layer, add_layer, delete_outputs)
}
