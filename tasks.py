# SPDX-License-Identifier: Apache-2.0
"""The front door: thin Invoke tasks. What a task needs is imported when it runs, so that a fresh tree costs little."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from invoke import Argument, Context, Exit, Task, task

from generator.languages.table import LANGUAGES, kinds, option_help

ROOT = Path(__file__).parent


class PathsTask(Task[Any]):
    """A task that takes every word after its name, options apart, as a path: Invoke knows no such argument."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return the arguments of the task, ``**paths`` of its function as one for each path that was given."""
        words = sys.argv[sys.argv.index(self.name) + 1 :] if self.name in sys.argv else []
        paths = [word for word in words if not word.startswith("-")]
        others = [argument for argument in super().get_arguments(ignore_unknown_help) if argument.name != "paths"]
        return [*(Argument(f"path{n}", positional=True) for n in range(len(paths))), *others]


def _run(command: Callable[[], int]) -> None:
    """Give *command*'s exit status, and its error in one line, to Invoke."""
    from generator.console import status_of

    status = status_of(command)
    if status:
        raise Exit(code=status)


@task(
    help={
        "engine": "auto, docker, podman, native or builtin (default: WINSCRATCH_ENGINE or auto)",
        "force": "make everything, stale or not",
        "only": "the one layer to make",
        "dry-run": "say what would run, and why",
    }
)
def generate(_: Context, engine: str = "", force: bool = False, only: str = "", dry_run: bool = False) -> None:
    """Build stale hives, layers, blobs and modules."""

    def run() -> int:
        from generator import pipeline

        return pipeline.generate(ROOT, engine=engine or None, force=force, only=only or None, dry_run=dry_run)

    _run(run)


@task(
    name="check-stale",
    help={
        "json": "findings as JSON",
        "full": "make everything again in memory and compare, changed or not",
        "rebuild": "the same, with hives that an engine builds",
        "engine": "the engine for --rebuild: auto, docker, podman or native",
    },
)
def check_stale(_: Context, json: bool = False, full: bool = False, rebuild: bool = False, engine: str = "") -> None:
    """Say what is stale: exit status 0 fresh, 1 stale, 2 error."""

    def run() -> int:
        from generator import pipeline

        return pipeline.check(ROOT, full=full, as_json=json, rebuild=rebuild, engine=engine or None)

    _run(run)


@task(
    help={
        "engine": "auto, docker, podman or native",
        "provenance": "write an in-toto statement of what was made from what to this file",
        "sbom": "write a CycloneDX bill of the builder's packages to this file",
    }
)
def verify(_: Context, engine: str = "", provenance: str = "", sbom: str = "") -> None:
    """Rebuild everything from source for an auditor, compare, and print each digest."""

    def run() -> int:
        from generator import verify

        return verify.verify(
            ROOT,
            engine=engine or None,
            provenance=Path(provenance) if provenance else None,
            sbom=Path(sbom) if sbom else None,
        )

    _run(run)


@task(
    help={
        "language": ", ".join(LANGUAGES),
        "layer": " or ".join(["a layer's name", *kinds()]),
        "dest": "a file, or a directory, which may end in /",
        **option_help(),
        "force": "replace a file that was edited, or is not ours",
        "dry-run": "say what would be written",
        "diff": "show what would be written",
    }
)
def vendor(
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
) -> None:
    """Write a layer's module into another project: LANGUAGE LAYER DEST."""

    def run() -> int:
        from generator.copies import vendor

        return vendor.vendor(
            ROOT,
            language,
            layer,
            dest,
            package=package,
            prefix=prefix,
            compat=compat,
            force=force,
            dry_run=dry_run,
            diff=diff,
        )

    _run(run)


@task(
    klass=PathsTask,
    positional=(),
    help={"json": "copies as JSON", "update": "make outdated copies anew", "force": "with --update: edited ones too"},
)
def vendored(_: Context, json: bool = False, update: bool = False, force: bool = False, **paths: str) -> None:
    """Say in what state the copies at and below PATH... are: exit status 0 fresh, 1 not, 2 error."""

    def run() -> int:
        from generator.copies import vendored

        given = list(paths.values()) or ["."]
        return vendored.check(ROOT, given, as_json=json, update=update, force=force)

    _run(run)


@task(name="check-hive", klass=PathsTask, positional=(), help={"json": "findings as JSON"})
def check_hive(_: Context, json: bool = False, **paths: str) -> None:
    """Say whether Windows would load the registry hives FILE...: exit status 0 all, 1 not, 2 error."""

    def run() -> int:
        from generator.errors import GeneratorError
        from generator.hives import check

        if not paths:
            raise GeneratorError("check-hive: name the hives to check")
        return check.report(paths.values(), json)

    _run(run)


@task(
    help={
        "all": "install what the tests use and this machine lacks, as root or by passwordless sudo",
        "file": "a test file (may be repeated)",
        "select": "pytest's -k expression",
    },
    iterable=["file"],
)
def test(_: Context, file: list[str], select: str = "", all: bool = False) -> None:  # noqa: A002 - an option's name
    """Run all tests that this machine can: exit status 0 passed, 1 not, 2 error."""

    def run() -> int:
        from generator import console
        from generator.machine import testing

        return testing.run_tests(files=file, select=select, everything=all, note=console.note)

    _run(run)


@task
def lint(_: Context) -> None:
    """Run every checker and formatter over the sources: exit status 0 nothing found, 1 something, 2 error."""
    _run(lambda: _check_sources("lint"))


@task
def fix(_: Context) -> None:
    """Have the formatters and checkers fix what they can, and write the documents' generated parts."""
    _run(lambda: _check_sources("fix"))


def _check_sources(what: str) -> int:
    from generator import console
    from generator.machine import checks, venv

    venv.ensure_test_packages(console.note)
    return (checks.lint if what == "lint" else checks.fix)(say=console.say, note=console.note)
