# SPDX-License-Identifier: Apache-2.0
"""The front door: thin Invoke tasks. What a task needs is imported when it runs, so that a fresh tree costs little."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from invoke import Argument, Context, Exit, Task, task

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
        "engine": "auto, docker, podman or native (default: WINSCRATCH_ENGINE or auto)",
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
        "rebuild": "build everything from source in memory and compare byte for byte",
        "engine": "the engine for --rebuild",
    },
)
def check_stale(_: Context, json: bool = False, rebuild: bool = False, engine: str = "") -> None:
    """Say what is stale: exit status 0 fresh, 1 stale, 2 error."""

    def run() -> int:
        from generator import pipeline

        if rebuild:
            return pipeline.check_rebuilt(ROOT, engine or None, as_json=json)
        return pipeline.check(ROOT, as_json=json)

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
            engine_name=engine or None,
            provenance=Path(provenance) if provenance else None,
            sbom=Path(sbom) if sbom else None,
        )

    _run(run)


@task(
    help={
        "package": "the Go package, or the Python module",
        "prefix": "what exported Go names or C symbols start with",
        "compat": "imgutil: Go functions named as that package's",
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


@task(help={"select": "pytest's -k expression", "file": "a test file (may be repeated)"}, iterable=["file"])
def test(_: Context, file: list[str], select: str = "") -> None:
    """Install what the tests need and run them all."""

    def run() -> int:
        import subprocess

        from generator import machine

        machine.ensure_test_packages()
        machine.ensure_tools()
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-n",
            "auto",
            "--dist",
            "loadfile",
            *(["-k", select] if select else []),
            *file,
        ]
        return subprocess.run(command, cwd=ROOT, check=False).returncode

    _run(run)
