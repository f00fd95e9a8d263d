# SPDX-License-Identifier: Apache-2.0
"""Run the tests: the options of ``./invokew test``, the cost of a run, and the table of skipped tests."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence

from generator.base.console import note
from generator.base.errors import EXIT_ERROR, GeneratorError

from . import PROJECT, debian, venv

NOT_COLLECTED = 5  # pytest's exit status if it selects no test
# Variables that would change the Python that runs the tests, and those that they start.
PYTHON_SETTINGS = {"PYTHONHOME", "PYTHONINSPECT", "PYTHONPATH", "PYTHONPLATLIBDIR"}
QUICK, THOROUGH = "requirements-test.lock", "requirements-thorough.lock"

# Costs with every program that the tests use. Measured on Debian 12: PACKAGES; the others are estimates.
MINUTES = {QUICK: 15, THOROUGH: 60}
PACKAGES = {QUICK: (5, 65), THOROUGH: (140, 570)}  # MB: download, size of .venv afterwards
FETCHED = {"go": 1500, "mvn": 40, "npm": 100}  # MB that tests download with these, into caches below HOME
TEMPORARY = 2000  # MB below TMPDIR while tests run


def run_tests(files: Sequence[str] = (), select: str = "", *, everything: bool = False, thorough: bool = False) -> int:
    """Run the tests in *files*, by default all, that match *select*; return 0 passed, 1 failed, 2 error.

    Installs missing Python packages into ``.venv``; with *everything* also missing Debian packages, as root or by
    passwordless sudo. *thorough* adds the second lock's packages and large random counts.
    Raises GeneratorError if a file does not exist or no test is selected.
    """
    for file in files:
        if not (PROJECT / file.partition("::")[0]).exists():
            raise GeneratorError(f"--file: {file}: not found in {PROJECT}; hint: --file tests/cli/test_cli.py")
    locks = (QUICK, THOROUGH) if thorough else (QUICK,)
    for line in costs(locks, whole=not files and not select):
        note(line)
    if status := install(*locks):
        return status
    if everything:
        debian.ensure_tools()
    # One file starts sooner without workers.
    workers = [] if len(files) == 1 and ".py" in files[0] else ["-n", "auto", "--dist", "loadfile"]
    command = [sys.executable, "-m", "pytest", *workers, *(["-k", select] if select else []), *files]
    env = {name: value for name, value in os.environ.items() if name not in PYTHON_SETTINGS}
    env |= {"WINSCRATCH_THOROUGH": "1"} if thorough else {}
    status = subprocess.run(command, cwd=PROJECT, env=env, check=False).returncode
    if status == NOT_COLLECTED:
        raise GeneratorError(f"--select: no test matches {select}" if select else "--file: no test found")
    return min(status, EXIT_ERROR)


def install(*locks: str) -> int:
    """Install those of *locks* that the running environment lacks; return 0, or another status if that fails."""
    missing = [lock for lock in locks if not venv.has(lock)]
    if missing and os.path.realpath(sys.prefix) != os.path.realpath(venv.VENV):
        raise GeneratorError(f"{missing[0]}: not installed in {sys.prefix}; hint: use ./invokew")
    return venv.install(*missing)


def costs(locks: Sequence[str], *, whole: bool) -> list[str]:
    """Return lines on time, downloads and disk space of a run with *locks*, of the *whole* suite or a part."""
    lines = []
    if whole:
        lines.append(f"time: about {MINUTES[locks[-1]]} minutes on two cores, less if programs are missing")
    for lock in locks:
        if not venv.has(lock):
            download, disk = PACKAGES[lock]
            lines.append(f"once: {lock}: about {download} MB to download; .venv then takes {disk} MB")
    found = {program: size for program, size in FETCHED.items() if debian.find(program)}
    if whole and found:
        each = ", ".join(f"{program} {size} MB" for program, size in found.items())
        lines.append(f"once: tests download modules into the caches of {each}; disk: {TEMPORARY} MB of temporary files")
    return lines


def skipped(reasons: Iterable[str]) -> list[str]:
    """Return the lines of a table of *reasons*, one for each skipped test, and the command that installs programs."""
    counts = Counter(reasons)
    if not counts:
        return []
    lines = ["tests skipped  reason", *(f"{count:13}  {reason}" for reason, count in sorted(counts.items()))]
    if packages := [tool.package for tool in debian.missing()]:
        rights = "" if os.geteuid() == 0 else ", as root or by passwordless sudo"
        lines.append(f"./invokew test --all installs Debian packages{rights}: {' '.join(packages)}")
    return lines
