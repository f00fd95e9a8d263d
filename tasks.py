# SPDX-License-Identifier: Apache-2.0
"""Invoke tasks of this checkout; ``./invokew --list`` shows them. ``./invokew`` also runs every other command.

The help of options comes from the table in generator/cli/commands.py, which ``python -m generator`` is made of.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from invoke import Context, Exit, task

from generator.base.console import status_of
from generator.cli import commands, handlers

sys.path.append(str(Path(__file__).parent / "tests"))  # for the package tooling


def _run(command: Callable[[], int]) -> None:
    """Run *command*; end Invoke with its exit status if that is not 0. Errors are printed as one line."""
    if status := status_of(command):
        raise Exit(code=status)


@task(help=commands.help_of("generate"), auto_shortflags=False)
def generate(_: Context, engine: str = "", force: bool = False, only: str = "", dry_run: bool = False) -> None:
    """Build stale hives, layers, blobs and modules."""
    _run(lambda: handlers.generate(engine, only, force=force, dry_run=dry_run))


@task(help=commands.help_of("check-stale"), auto_shortflags=False)
def check_stale(_: Context, json: bool = False, full: bool = False, rebuild: bool = False, engine: str = "") -> None:
    """List stale outputs: exit status 0 fresh, 1 stale, 2 error."""
    _run(lambda: handlers.check_stale(engine, json=json, full=full, rebuild=rebuild))


@task(help=commands.help_of("verify"), auto_shortflags=False)
def verify(_: Context, engine: str = "", provenance: str = "", sbom: str = "") -> None:
    """Rebuild all outputs with an engine, compare them, and print their digests."""
    _run(lambda: handlers.verify(engine, provenance=provenance or None, sbom=sbom or None))


@task(positional=["language", "layer", "dest"], help=commands.help_of("vendor"), auto_shortflags=False)
def vendor(  # noqa: PLR0913 - one parameter for each option
    _: Context,
    language: str,
    layer: str,
    dest: str,
    package: str | None = None,
    prefix: str | None = None,
    compat: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    diff: bool = False,
    lock: bool = False,
) -> None:
    """Write a layer's module into another project."""
    names = {"package": package, "prefix": prefix, "compat": compat}
    flags = {"force": force, "dry_run": dry_run, "diff": diff, "lock": lock}
    _run(lambda: handlers.vendor(language, layer, dest, **names, **flags))


@task(
    iterable=["file"],
    help={
        "file": "run this test file or folder only; may be repeated",
        "select": "pytest's -k expression",
        "all": "first install missing programs that the tests use, as root or by passwordless sudo",
        "thorough": "use large random counts, and install the packages of requirements-thorough.lock",
    },
    auto_shortflags=False,
)
def test(
    _: Context,
    file: list[str],
    select: str = "",
    all: bool = False,  # noqa: A002 - Invoke names the option after it
    thorough: bool = False,
) -> None:
    """Run the tests: exit status 0 passed, 1 failed, 2 error."""
    from tooling import testing

    _run(lambda: testing.run_tests(file, select, everything=all, thorough=thorough))


@task
def lint(_: Context) -> None:
    """Run all linters and formatters without changing files: exit status 0 clean, 1 findings, 2 error."""
    from tooling import checks

    _run(checks.lint)


@task
def fix(_: Context) -> None:
    """Apply the fixes of linters and formatters, and rewrite the generated parts of documents."""
    from tooling import checks

    _run(checks.fix)
