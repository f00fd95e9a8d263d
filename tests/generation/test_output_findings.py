# SPDX-License-Identifier: Apache-2.0
"""Damaged, missing and unexpected files in a checkout: findings, and what generate repairs."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.checkout_runs import (
    FOURTH,
    FRESH,
    NOTHING,
    check,
    generate,
    outputs,
    silent,
    snapshot,
    written,
)
from helpers.support import need

from generator.base.errors import EXIT_OK, GeneratorError
from generator.base.home import TEMPORARY
from generator.generation import manifest, pipeline, unchanged
from generator.report.report import documents

# ---------------------------------------------------------------------------------------------
# An output changed


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("path", ["output/go/scratch/scratch.go", "output/c/windows_legacy.h", "output/go/go.mod"])
@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.write_bytes(path.read_bytes() + b" "), "edited by hand, or half written"),
        (lambda path: path.write_bytes(path.read_bytes()[:40]), "edited by hand, or half written"),
        (Path.unlink, "deleted"),
    ],
)
def test_damaged_module_is_rendered_from_the_blob(
    tree: Path, path: str, damage: Callable[[Path], None], why: str
) -> None:
    before = outputs(tree)
    damage(tree / path)
    assert check(tree) == [f"stale: {path}: {why}"]
    assert generate(tree) == [f"wrote {path}"]
    assert outputs(tree) == before


@pytest.mark.usefixtures("no_engine")
def test_directory_in_place_of_an_output_is_left_alone(tree: Path) -> None:
    path = "output/c/windows_scratch.h"
    (tree / path).unlink()
    (tree / path).mkdir()
    assert check(tree) == [f"stale: {path}: a directory in its place"]
    before = snapshot(tree)
    with pytest.raises(GeneratorError, match=r"windows_scratch\.h: a directory in place of a file; hint: move it"):
        generate(tree)
    assert snapshot(tree) == before


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_only_a_damaged_blob_is_rebuilt_with_the_engine(tree: Path, damage: bytes | None) -> None:
    before = outputs(tree)
    blob = tree / "output/layers/scratch.tar.gz"
    blob.unlink() if damage is None else blob.write_bytes(damage)
    assert check(tree)[0].startswith("stale: output/layers/scratch.tar.gz: ")
    noted: list[str] = []
    said = generate(tree, note=noted.append)
    assert "building 6 hives" in noted
    assert written(said) == {"output/layers/scratch.tar.gz"}
    assert outputs(tree) == before
    assert check(tree) == FRESH


def test_deleted_outputs_are_made_again(tree: Path) -> None:
    before = outputs(tree)
    shutil.rmtree(tree / "output")
    assert check(tree)[0] == "stale: output/manifest.json: missing"
    generate(tree)
    assert outputs(tree) == before


@pytest.mark.usefixtures("no_engine")
def test_unexpected_file_in_output_is_left_alone(tree: Path) -> None:
    unexpected = tree / "output/notes.txt"
    unexpected.write_text("mine")
    assert check(tree) == [f"stale: output/notes.txt: {manifest.STRANGE}"]
    finding = [manifest.Finding("output/notes.txt", manifest.STRANGE)]
    assert manifest.report(finding, [], False, {}) == [f"stale: {finding[0]}"]  # generate cannot fix it
    assert json.loads(manifest.report(finding, [], True, {})[0])["fix"] is None
    noted: list[str] = []
    generate(tree, note=noted.append)
    assert "output/notes.txt: not generated; hint: move it out of output/" in noted[-1]
    assert unexpected.read_text() == "mine"


@pytest.mark.usefixtures("no_engine")
def test_temporary_file_of_a_killed_run_is_removed(tree: Path) -> None:
    left = tree / f"output/go/.go.mod{TEMPORARY}"
    left.write_text("half")
    assert check(tree) == [f"stale: output/go/{left.name}: left half written by a killed run"]
    assert generate(tree)[0] == NOTHING
    assert not left.exists()


# ---------------------------------------------------------------------------------------------
# Unexpected files


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    "path", ["output/c/windows_scratch.h", "generator/layers/scratch.toml", "output/go/legacy", "output", "templates"]
)
def test_symlink_is_a_finding(tree: Path, path: str) -> None:
    real = tree.parent / "elsewhere"
    (tree / path).rename(real)
    (tree / path).symlink_to(real)
    assert f"stale: {path}: a symlink; hint: replace it with the file itself" in check(tree)
    if not path.startswith("output/"):
        with pytest.raises(GeneratorError, match=f"^{path}: a symlink"):
            generate(tree)


@pytest.mark.usefixtures("no_engine")
def test_symlink_in_place_of_an_output_is_replaced(tree: Path) -> None:
    path = tree / "output/c/windows_scratch.h"
    before = outputs(tree)
    path.rename(tree.parent / "elsewhere")
    path.symlink_to(tree.parent / "elsewhere")
    generate(tree)
    assert not path.is_symlink()
    assert outputs(tree) == before
    assert check(tree) == FRESH


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("output/.hidden", "a hidden file or folder"),
        ("output/python/.d/x.py", "a hidden file or folder"),
        ("templates/go/.module.go.jinja", "a hidden file or folder"),
        ("generator/layers/more/fifth.toml", "not a specification"),
        ("generator/layers/notes.txt", "not a specification"),
        ("generator/layers/__pycache__/fifth.toml", "a hidden file or folder"),
        ("templates/go/__pycache__/module.go.jinja", "a hidden file or folder"),
        (f"templates/go/.x{TEMPORARY}", "a hidden file or folder"),
        (f"output/.x{TEMPORARY}/payload", "a hidden file or folder"),
        (f"output/go/.x{TEMPORARY}", "left half written by a killed run"),
    ],
)
def test_unexpected_file_is_a_finding(tree: Path, path: str, why: str) -> None:
    (tree / path).parent.mkdir(exist_ok=True)
    (tree / path).touch()
    assert any(why in line for line in check(tree)), check(tree)


@pytest.mark.usefixtures("no_engine")
def test_bytecode_of_imported_modules_is_ignored(tree: Path) -> None:
    script = "import windows_scratch, windows_legacy"
    environment = {"PYTHONPATH": str(tree / "output/python"), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    assert len([*tree.glob("output/python/__pycache__/*.pyc")]) == 2
    assert check(tree) == FRESH
    assert check(tree, full=True) == FRESH


@pytest.mark.parametrize("path", ["output/python/pipe", "templates/go/pipe", unchanged.MANIFEST])
def test_pipe_is_refused(tree: Path, path: str) -> None:
    (tree / path).unlink(missing_ok=True)
    os.mkfifo(tree / path)
    with pytest.raises(GeneratorError, match=f"^{path}: not a regular file"):
        check(tree)


@pytest.mark.parametrize("path", ["output/python/huge", "templates/go/huge", unchanged.MANIFEST])
def test_huge_file_is_refused(tree: Path, path: str) -> None:
    with (tree / path).open("wb") as file:
        file.truncate(20 << 30)
    with pytest.raises(GeneratorError, match=f"^{path}: larger than 67,108,864 bytes"):
        check(tree)


def test_blob_longer_than_necessary_is_stale(tree: Path) -> None:
    path = tree / manifest.blob_path("scratch")
    data = path.read_bytes()
    path.write_bytes(data[:10] + b"\0\0\0\xff\xff" * 5000 + data[10:])  # empty stored blocks, which unpack to nothing
    assert gzip.decompress(path.read_bytes()) == gzip.decompress(data)
    assert any("scratch.tar.gz: edited by hand" in line for line in check(tree))
    generate(tree)
    assert path.read_bytes() == data


def test_generate_never_writes_through_a_symlink(tree: Path) -> None:
    elsewhere = tree.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "windows_scratch.py").write_text("mine")
    shutil.rmtree(tree / "output/python")
    (tree / "output/python").symlink_to(elsewhere)
    with pytest.raises(GeneratorError, match="a link in place of a folder"):
        generate(tree)
    assert [path.name for path in elsewhere.iterdir()] == ["windows_scratch.py"]
    assert (elsewhere / "windows_scratch.py").read_text() == "mine"


@pytest.mark.usefixtures("no_engine")
def test_ignored_output_is_a_finding(tree: Path) -> None:
    (tree / "generator/layers/build.toml").write_text(FOURTH)
    subprocess.run([need("git"), "init", "-q", tree], check=True)
    (tree / ".gitignore").write_text("build/\n")
    assert "stale: output/go/build/build.go: ignored by git, so clones lack it" in check(tree)
    (tree / ".gitignore").write_text("/build/\n")
    assert not [line for line in check(tree) if "ignored" in line]
    (tree / ".gitignore").write_text("manifest.json\nbuild.toml\n")
    ignored = {line.split(": ")[1] for line in check(tree) if "ignored by git" in line}
    assert ignored == {unchanged.MANIFEST, "generator/layers/build.toml"}


@pytest.mark.usefixtures("no_engine")
def test_failing_git_is_noted(tree: Path) -> None:
    (tree / ".git").write_text("gitdir: nowhere\n")
    noted: list[str] = []
    assert (
        pipeline.check(tree, documents, pipeline.CheckOptions(full=True), say=silent, note=noted.append, environment={})
        == EXIT_OK
    )
    assert noted == ["git failed, so files that a clone would lack are not reported"]
