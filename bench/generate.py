# SPDX-License-Identifier: Apache-2.0
"""Tell what generating and checking cost, beside an Invoke task that does nothing: python bench/generate.py [ROUNDS].

Needs the virtual environment's Python. Works on a copy of the checkout. Of the engines those are measured that
work here, with their image built.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from table import medians, seconds, show

PROJECT = Path(__file__).absolute().parents[1]
ENGINES = ("builtin", "native", "podman", "docker")
IMGUTIL_BLOB = 1206  # bytes: imgutil's layer by gzip -9
NOTHING = '''from invoke import Context, task


@task
def nothing(_: Context) -> None:
    """Do nothing."""
'''


def main(rounds: int = 31) -> None:
    """Measure and print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        ignore = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache")
        for name in ("generator", "templates", "output"):
            shutil.copytree(PROJECT / name, tree / name, ignore=ignore)
        for name in (".gitignore", "Dockerfile.hivex", "requirements.lock", "tasks.py"):
            shutil.copy(PROJECT / name, tree / name)
        empty = Path(folder) / "empty"
        empty.mkdir()
        (empty / "tasks.py").write_text(NOTHING)
        measure(tree, empty, rounds)


def measure(tree: Path, empty: Path, rounds: int) -> None:
    """Measure on *tree*, a copy of the checkout, and in *empty*, which has a task that does nothing."""
    invoke = [sys.executable, "-m", "invoke"]

    def timed(*command: str, cwd: Path = tree) -> Callable[[], float]:
        return lambda: seconds(command, cwd) * 1000

    taken = medians(
        {
            "invoke nothing": timed(*invoke, "nothing", cwd=empty),
            "invoke generate": timed(*invoke, "generate"),
            "invoke check-stale": timed(*invoke, "check-stale"),
            "python -c pass": timed(sys.executable, "-c", "pass"),
            "python -m generator check-stale": timed(sys.executable, "-m", "generator", "check-stale"),
        },
        rounds,
    )
    rows = []
    for name, (base, goal) in {
        "invoke nothing": ("invoke nothing", None),
        "invoke generate": ("invoke nothing", 1.35),
        "invoke check-stale": ("invoke nothing", 1.35),
        "python -c pass": ("python -c pass", None),
        "python -m generator check-stale": ("python -c pass", 3.5),
    }.items():
        ratio = f"{taken[name] / taken[base]:.3f}"
        rows.append([name, f"{taken[name]:.1f} ms", ratio, f"at most {goal}" if goal else ""])
    show("nothing to do", ("time", "ratio", "goal"), rows)

    forced = {"nothing": timed(*invoke, "nothing", cwd=empty)}
    for engine in ENGINES:
        command = [*invoke, "generate", "--force", "--engine", engine]
        # Check that the engine works here, and build its image.
        tried = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            forced[engine] = timed(*command)
        else:
            print(f"not measured: {tried.stderr.splitlines()[-1]}")
    slow = medians(forced, max(3, rounds // 6))
    rows = [[f"--engine {engine}", f"{slow[engine] - slow['nothing']:,.0f} ms more"] for engine in slow][1:]
    show("invoke generate --force, beside invoke nothing", ("time",), rows)

    sizes = {path.name: path.stat().st_size for path in sorted((PROJECT / "output/layers").iterdir())}
    sizes["imgutil, by gzip -9"] = IMGUTIL_BLOB
    show("blob", ("size", "ratio"), [[n, f"{size:,} B", f"{size / IMGUTIL_BLOB:.2f}"] for n, size in sizes.items()])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
