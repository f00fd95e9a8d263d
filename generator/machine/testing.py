# SPDX-License-Identifier: Apache-2.0
"""Run the tests, and tell what they had to skip."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from ..base.errors import EXIT_ERROR, GeneratorError
from . import PROJECT, debian, venv

NOT_COLLECTED = 5  # pytest's status where it found no test
# What would lead the tests' Python astray, and the Pythons that they start.
ASTRAY = {"PYTHONHOME", "PYTHONINSPECT", "PYTHONPATH", "PYTHONPLATLIBDIR"}

# What a first run costs, about, with every program that the tests use. Measured on Debian 12: .venv, 971 MB; the other
# figures are estimates so far.
MINUTES = 25  # of two cores
PACKAGES = (330, 1000)  # MB: the Python packages, as fetched and in .venv
FETCHED = {"go": 1500, "mvn": 40, "npm": 100}  # MB that tests fetch by these, into caches below HOME
TEMPORARY = 2000  # MB below TMPDIR while tests run

Say = Callable[[str], None]


def run_tests(*, files: Sequence[str] = (), select: str = "", everything: bool = False, note: Say) -> int:
    """Run all tests, or those in *files* or that *select* chooses; return 0 if they pass, 1 if not, 2 if none could.

    Their Python packages are installed into the virtual environment, and nothing else is installed
    but for *everything*: then Debian's packages are that the tests use, as root or by passwordless sudo.
    Raises GeneratorError where there is no such file, or no test is chosen.
    """
    for file in files:
        if not (PROJECT / file.partition("::")[0]).exists():
            raise GeneratorError(
                f"--file: {file}: is not in {PROJECT}; give a path from there, such as tests/cli/test_cli.py"
            )
    for line in costs(whole=not files and not select):
        note(line)
    venv.ensure_test_packages(note)
    if everything:
        debian.ensure_tools(note)
    options = ["-n", "auto", "--dist", "loadfile", *(["-k", select] if select else [])]
    command = [sys.executable, "-m", "pytest", *options, *files]
    env = {name: value for name, value in os.environ.items() if name not in ASTRAY}
    status = subprocess.run(command, cwd=PROJECT, env=env, check=False).returncode
    if status == NOT_COLLECTED:
        raise GeneratorError(f"no test {f'is called what --select {select} asks for' if select else 'is in the files'}")
    return min(status, EXIT_ERROR)


def costs(*, whole: bool) -> list[str]:
    """Return lines on the time, downloads and disk space of a run of the *whole* suite, or of some tests."""
    lines = []
    if whole:
        lines.append(f"all tests take about {MINUTES} minutes on two cores, fewer without the programs that some need")
    if not venv.has_test_packages():
        download, disk = PACKAGES
        lines.append(f"once: downloads about {download} MB of Python packages, which take {disk} MB in .venv")
    found = {program: size for program, size in FETCHED.items() if debian.find(program)}
    if whole and found:
        each = ", ".join(f"{program} {size} MB" for program, size in found.items())
        lines.append(f"once: tests download modules into the caches of {each}; about {TEMPORARY} MB of temporary files")
    return lines


def skipped(reasons: Iterable[str]) -> list[str]:
    """Return the lines of a table of *reasons*, one for each test that was skipped, and the command that helps."""
    counts = Counter(reasons)
    if not counts:
        return []
    lines = ["tests skipped  reason", *(f"{count:13}  {reason}" for reason, count in sorted(counts.items()))]
    tools = debian.to_install()
    if tools:
        size = debian.download_size(tools)
        fetched = f"{size / 1e6:.0f} MB to fetch" if size is not None else "its size is not known here"
        rights = "" if os.geteuid() == 0 else ", as root or by passwordless sudo"
        names = " ".join(tool.package for tool in tools)
        lines += [f"./invokew test --all installs what apt can bring{rights} ({fetched}): {names}"]
    return lines
