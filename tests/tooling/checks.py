# SPDX-License-Identifier: Apache-2.0
"""Linters, type checkers and formatters of the sources: one list for ``lint``, ``fix`` and the tests.

Generated modules are checked by the tests of their language; here only as part of a Go module.
"""

import functools
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from generator.base.console import Verbatim, note, say
from generator.base.errors import EXIT_OK, EXIT_STALE, GeneratorError, printable

from . import PROJECT, debian, last_error, run, testing

SHELL = ("invokew", ".ci/run", ".ci/docker-engine", "examples/hostprocess/image.sh")
TYPED = ("hatch_build.py", "tasks.py", "examples/python", "packages/build.py")
WORKFLOWS = ".github/workflows/*.yml"
LLVM = ("--style=LLVM",)
C_FILES = ("bench/*.[ch]", "tests/languages/c/*.[ch]", "tests/helpers/*.[ch]", "examples/c/*.[ch]")
# The generated one comes last.
GO_MODULES = ("tests/languages/go", "tests/interop/kubernetes", "examples/go", "examples/hostprocess", "output/go")
RUST = ("--edition", "2021")
RUST_FILES = (
    "bench/rust/*.rs",
    "examples/rust/*.rs",
    "tests/languages/rust/*.rs",
    "tests/languages/rust/clients/src/*.rs",
)
GO_TOOLS = {  # in the versions of tests/languages/go/go.mod
    "actionlint": "github.com/rhysd/actionlint/cmd/actionlint",
    "staticcheck": "honnef.co/go/tools/cmd/staticcheck",
}


class Check(NamedTuple):
    """A linter, type checker or formatter with the arguments that check sources, and those that fix them, if it can.

    A pattern among the arguments stands for the files that match it below *folder*. A *silent* program
    exits with 0 in any case, and prints something only if it finds a fault.
    """

    name: str
    program: str
    find: tuple[str, ...]
    fix: tuple[str, ...] = ()
    folder: str = "."
    silent: bool = False

    def lacks(self) -> str:
        """Return why this machine cannot run the check, or an empty string if it can."""
        if self.program == "actionlint" and not _path("shellcheck"):
            return "shellcheck not found, which actionlint needs for scripts"
        if self.program in GO_TOOLS or self.program.startswith("go"):
            found = debian.find("go")
            return debian.go_is_too_old(found) if found else "go not found"
        return "" if _path(self.program) else f"{self.program} not found"

    def findings(self) -> str:
        """Run the check; return its findings, or an empty string."""
        return self._run(self.find)

    def fix_it(self) -> str:
        """Apply the check's fixes; return the error output, or an empty string."""
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
    Check("clang-format", "clang-format", (*LLVM, "--dry-run", "--Werror", *C_FILES), (*LLVM, "-i", *C_FILES)),
    Check("gofmt", "gofmt", ("-l", "-s", *GO_MODULES), ("-l", "-s", "-w", *GO_MODULES[:-1]), silent=True),
    *(Check(f"go vet of {folder}", "go", ("vet", "./..."), folder=folder) for folder in GO_MODULES),
    *(Check(f"staticcheck of {m}", "staticcheck", ("-checks", "all", "./..."), folder=m) for m in GO_MODULES),
    Check("rustfmt", "rustfmt", (*RUST, "--check", *RUST_FILES), (*RUST, *RUST_FILES)),
    Check("documents", "python", ("tests/project/test_docs.py", "--check"), ("tests/project/test_docs.py",)),
    Check("recording", "python", ("tests/helpers/recording.py", "--check"), ("tests/helpers/recording.py",)),
    Check(
        "list of the Go tests",
        "python",
        ("tests/helpers/committed_modules.py", "--check"),
        ("tests/helpers/committed_modules.py",),
    ),
)


def lint() -> int:
    """Run every check and print its findings; return 0 without findings, 1 with, 2 if packages cannot be installed."""
    return _run_all(CHECKS, Check.findings)


def fix() -> int:
    """Apply the fixes of all checks; return 0, 1 if one fails, 2 if packages cannot be installed."""
    return _run_all([check for check in CHECKS if check.fix], Check.fix_it)


def _run_all(checks: Iterable[Check], act: Callable[[Check], str]) -> int:
    if status := testing.install(testing.QUICK, testing.THOROUGH):
        return status
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
    """Return the path of *program* in ``.venv`` or on PATH, or an empty string; build Go tools first."""
    if program == "python":
        return sys.executable
    own = Path(sys.prefix) / "bin" / program
    if program in GO_TOOLS:
        command = ["go", "install", GO_TOOLS[program]]
        done = run(command, cwd=debian.GO_MODULE, env=os.environ | {"GOBIN": str(own.parent)})
        if done.returncode:
            raise GeneratorError(f"{program}: go install failed: {last_error(done, 'go: ')}")
    return str(own) if own.exists() else debian.find(program) or ""
