# SPDX-License-Identifier: Apache-2.0
"""The front door: thin Invoke tasks. What a task needs is imported when it runs, so that a fresh tree costs little."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from invoke import Context, Exit, task

ROOT = Path(__file__).parent


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turn the errors a user can mend into one line and exit status 2."""
    from generator.errors import EXIT_ERROR, GeneratorError

    try:
        yield
    except GeneratorError as error:
        raise Exit(f"error: {error}", code=EXIT_ERROR) from error
    except KeyboardInterrupt as error:
        raise Exit("interrupted; nothing was changed", code=130) from error


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _end(status: int) -> None:
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
    with _one_line_errors():
        from generator import pipeline

        _end(pipeline.generate(ROOT, say=print, engine=engine or None, force=force, only=only or None, dry_run=dry_run))


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
    with _one_line_errors():
        from generator import pipeline

        if rebuild:
            _end(pipeline.check_rebuilt(ROOT, engine or None, as_json=json, say=print, progress=_progress))
        else:
            _end(pipeline.check(ROOT, as_json=json, say=print))


@task(help={"select": "pytest's -k expression", "file": "a test file (may be repeated)"}, iterable=["file"])
def test(_: Context, file: list[str], select: str = "") -> None:
    """Install what the tests need and run them all."""
    with _one_line_errors():
        import subprocess

        from generator import toolbox

        toolbox.ensure_test_packages()
        toolbox.ensure_tools()
        command = [sys.executable, "-m", "pytest", *(["-k", select] if select else []), *file]
        _end(subprocess.run(command, cwd=ROOT, check=False).returncode)
