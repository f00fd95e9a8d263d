# SPDX-License-Identifier: Apache-2.0
"""Every checker and formatter that the sources are held to: one list, for ``lint``, ``fix`` and the tests.

Generated modules are not on it, except where a checker takes a whole Go module: the tests of their
language check them.
"""

import functools
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from ..base.console import Verbatim
from ..base.errors import EXIT_OK, EXIT_STALE, GeneratorError, printable
from ..languages import language
from ..languages.table import LANGUAGES
from . import PROJECT, debian, last_error, run

SHELL = ("invokew", ".ci/run", ".ci/docker-engine", "examples/hostprocess/image.sh")
TYPED = ("hatch_build.py", "tasks.py", "examples/python", "packages/build.py")
WORKFLOWS = ".github/workflows/*.yml"
GO_TOOLS = {  # of the versions that tests/languages/go/go.mod names
    "actionlint": "github.com/rhysd/actionlint/cmd/actionlint",
    "staticcheck": "honnef.co/go/tools/cmd/staticcheck",
}

Say = Callable[[str], None]


class Check(language.Check):
    """A check that this machine may be able to run."""

    __slots__ = ()

    def lacks(self) -> str:
        """Return why this machine cannot run the check, or nothing if it can."""
        if self.program == "actionlint" and not _path("shellcheck"):
            return "there is no shellcheck on this machine, without which actionlint passes over scripts"
        if self.program in GO_TOOLS or self.program.startswith("go"):
            found = debian.find("go")
            return debian.go_is_too_old(found) if found else "there is no go on this machine"
        return "" if _path(self.program) else f"there is no {self.program} on this machine"

    def findings(self) -> str:
        """Return what the check finds wrong, or nothing."""
        return self._run(self.find)

    def fix_it(self) -> str:
        """Fix what the check can fix; return what went wrong with that, or nothing."""
        return self._run(self.fix) if self.fix else ""

    def _run(self, arguments: tuple[str, ...]) -> str:
        folder = PROJECT / self.folder
        words = [word for each in arguments for word in (sorted(folder.glob(each)) if "*" in each else [each])]
        environment = os.environ | {"MYPYPATH": os.pathsep.join(("tests", "."))}
        done = run([_path(self.program), *map(str, words)], cwd=folder, env=environment)
        wrote = (done.stdout + done.stderr).strip()
        if done.returncode:
            return wrote or f"{self.program} ended with status {done.returncode}"
        return wrote if self.silent else ""


CHECKS = (
    Check("ruff check", "ruff", ("check", "."), ("check", "--fix", ".")),
    Check("ruff format", "ruff", ("format", "--check", "."), ("format", ".")),
    Check("mypy of the generator", "mypy", ("--strict", "-p", "generator")),
    Check("mypy of the tests", "mypy", ("--strict", "--explicit-package-bases", "tests")),
    Check("mypy of the rest", "mypy", ("--strict", *TYPED)),
    Check("mypy of the benchmarks", "mypy", ("--strict", "bench")),
    Check("import-linter", "lint-imports", ("--no-cache",)),
    Check("shellcheck", "shellcheck", SHELL),
    Check("actionlint", "actionlint", ("-pyflakes=", WORKFLOWS)),
    *(Check(*check) for row in LANGUAGES.values() for check in row.checks),
    Check("documents", "python", ("tests/project/test_docs.py", "--check"), ("tests/project/test_docs.py",)),
    Check(
        "list of the Go tests",
        "python",
        ("tests/helpers/committed_modules.py", "--check"),
        ("tests/helpers/committed_modules.py",),
    ),
)


def lint(*, say: Say, note: Say) -> int:
    """Run every check and say what it finds; return 0 if none finds anything, else 1."""
    return _go_through(CHECKS, Check.findings, say, note)


def fix(*, say: Say, note: Say) -> int:
    """Fix what the checks can fix by themselves; return 0, or 1 if one could not."""
    return _go_through([check for check in CHECKS if check.fix], Check.fix_it, say, note)


def _go_through(checks: Iterable[Check], act: Callable[[Check], str], say: Say, note: Say) -> int:
    """Do *act* on each of *checks* that this machine can run and say what it returns."""
    status = EXIT_OK
    for check in checks:
        note(check.name)
        if lacks := check.lacks():
            say(f"skipped: {check.name}: {lacks}")
        elif found := act(check):
            status = EXIT_STALE
            say(f"wrong: {check.name}:")
            for line in found.splitlines():
                say(Verbatim(f"  {printable(line)}"))
    return status


@functools.cache
def _path(program: str) -> str:
    """Return the path of *program*, of the Python packages' programs or the machine's, or nothing if there is none."""
    if program == "python":
        return sys.executable
    own = Path(sys.prefix) / "bin" / program
    if program in GO_TOOLS:
        command = ["go", "install", GO_TOOLS[program]]
        done = run(command, cwd=debian.GO_MODULE, env=os.environ | {"GOBIN": str(own.parent)})
        if done.returncode:
            raise GeneratorError(f"{program} cannot be built: {last_error(done, 'go: ')}")
    return str(own) if own.exists() else debian.find(program) or ""
