# SPDX-License-Identifier: Apache-2.0
"""check-stale without packages, its imports and exit status, and --rebuild."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.checkout_runs import (
    FIX,
    FRESH,
    PROGRAM,
    check,
    edit,
    silent,
    snapshot,
)
from helpers.support import selected

from generator.base.errors import EXIT_ERROR, EXIT_OK, EXIT_STALE
from generator.generation import pipeline, unchanged
from generator.oci import blob, tar
from generator.report.report import documents

# ---------------------------------------------------------------------------------------------
# The quick check needs only the standard library

# Without site packages; -I would exclude the current directory too.
BARE = [sys.executable, "-S", "-s", "-E", "-B"]


@pytest.mark.program
def test_check_runs_without_a_virtual_environment(tree: Path) -> None:
    absent = subprocess.run([*BARE, "-c", "import jinja2"], cwd=tree, capture_output=True, check=False)
    assert absent.returncode, "this Python has Jinja even without its site packages"
    command = [*BARE, "-m", "generator", "check-stale"]
    environment = {"PATH": "", "LC_ALL": "C"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (EXIT_OK, FRESH, "")

    def run(*arguments: str, **more: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [*command, *arguments], cwd=tree, env=environment | more, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    needs = r"error: \w+: not installed, so outputs .*; hint: run \./invokew, which installs it\n"
    status, shown, said = run(CI="true")
    assert (status, shown) == (EXIT_ERROR, "")
    assert re.fullmatch(needs, said)
    # The manifest alone proves this, without packages.
    (tree / "output/go/go.mod").unlink()
    assert run() == (EXIT_STALE, f"stale: output/go/go.mod: deleted\n{FIX}\n", "")
    with (tree / "generator/generation/pipeline.py").open("a") as file:
        file.write("# more\n")
    status, shown, said = run()
    assert (status, shown) == (EXIT_ERROR, "")
    assert re.fullmatch(needs, said)


SLOW = {
    "argparse",
    "asyncio",
    "dataclasses",
    "invoke",
    "jinja2",
    "msgspec",
    "pathlib",
    "subprocess",
    "zopfli",
}


@pytest.mark.program
def test_quick_check_imports_no_slow_module(tree: Path) -> None:
    done = subprocess.run(
        [*BARE, "-X", "importtime", "-m", "generator", "check-stale"],
        cwd=tree,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "generator.generation.unchanged" in imported
    heavy = {f"generator.{room}" for room in ("builder", "layerspec", "oci", "languages.render", "hives", "cli")}
    assert not imported & (SLOW | heavy)


@pytest.mark.program
def test_unknown_command_is_refused_in_one_line(tree: Path) -> None:
    done = subprocess.run(
        [*BARE, "-m", "generator", "chek-stale"], cwd=tree, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (EXIT_ERROR, "")
    assert done.stderr.startswith("error: chek-stale: unknown command; hint: did you mean check-stale?")
    assert done.stderr.count("\n") == 1


@pytest.mark.program
def test_task_ends_with_the_status_of_the_check(tree: Path) -> None:
    (tree / "output/go/go.mod").unlink()
    done = subprocess.run([*PROGRAM, "check-stale"], cwd=tree, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (EXIT_STALE, "")
    assert done.stdout.splitlines() == ["stale: output/go/go.mod: deleted", FIX]


# ---------------------------------------------------------------------------------------------
# Rebuilt from source


def rebuilt(tree: Path) -> tuple[int, list[str]]:
    said: list[str] = []
    before = snapshot(tree)
    options = pipeline.CheckOptions(rebuild=True, engine=selected("native").name)
    status = pipeline.check(tree, documents, options, say=said.append, note=silent, environment={})
    assert snapshot(tree) == before
    return status, said


def test_rebuild_confirms_a_fresh_checkout(tree: Path) -> None:
    assert rebuilt(tree) == (EXIT_OK, FRESH)


@pytest.mark.parametrize("path", ["output/go/scratch/scratch.go", "output/layers/hostprocess.tar.gz"])
def test_rebuild_finds_an_output_forged_with_its_manifest(tree: Path, path: str) -> None:
    file = tree / path
    data = file.read_bytes() + b"\n" if path.endswith(".go") else blob.compress(tar.write_tar([("evil", b"")]))
    old, new = (unchanged.content_hash(path, content) for content in (file.read_bytes(), data))
    file.write_bytes(data)
    edit(tree / unchanged.MANIFEST, old, new)
    assert check(tree) == FRESH
    assert check(tree, full=True) == [f"stale: {path}: not what its sources make"]
    assert rebuilt(tree) == (EXIT_STALE, [f"stale: {path}: not what its sources make", FIX])
