# SPDX-License-Identifier: Apache-2.0
"""Beside buildpacks/imgutil itself: its BCD store, a copy that takes its two files' place, and its Image.Rebase."""

import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from helpers import composing, image_runs
from helpers.composing import documents
from helpers.image_runs import go_tool, run
from helpers.layouts import ROOTS, Part, sha256, tarred
from helpers.support import need

from generator.compose.bases import IMGUTIL, known
from generator.hives import reader as regf
from generator.oci.blob import BCD_PATH
from generator.vendoring import vendor

PROJECT = Path(__file__).parents[2]
CONFIG = "Files/Windows/System32/config"
SIX = {BCD_PATH, *(f"{CONFIG}/{name}" for name in ("DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM"))}
PROGRAM = """package main

import (
	"io"
	"os"

	"example.com/m/layer"
)

func main() {
	reader, err := layer.WindowsBaseLayer()
	if err != nil {
		panic(err)
	}
	tar, err := io.ReadAll(reader)
	if err != nil {
		panic(err)
	}
	bcd, err := layer.BaseLayerBCD()
	if err != nil {
		panic(err)
	}
	for name, data := range map[string][]byte{"layer.tar": tar, "BCD": bcd} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			panic(err)
		}
	}
}
"""


def exported(hive: Path) -> str:
    command = [need("hivexregedit"), "--export", "--unsafe-printable-strings", str(hive), "\\"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def imgutils_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("imgutil") / "BCD"
    command = [need("go"), "run", "./imgutil"]
    path.write_bytes(
        subprocess.run(command, cwd=PROJECT / "tests/languages/go", capture_output=True, check=True).stdout
    )
    return path


def test_imgutils_own_store_is_found_good(imgutils_store: Path) -> None:
    assert regf.check_hive(imgutils_store.read_bytes()) == []


@pytest.mark.parametrize("name", ["scratch", "legacy"])
def test_a_copy_in_imgutils_place_has_its_six_files_and_its_store(
    name: str, imgutils_store: Path, tmp_path: Path
) -> None:
    (tmp_path / "go.mod").write_text("module example.com/m\n\ngo 1.18\n")
    (tmp_path / "main.go").write_text(PROGRAM)
    folder = tmp_path / "layer"
    folder.mkdir()
    vendor.vendor(PROJECT, "go", name, str(folder), say=lambda _: None, compat="imgutil")
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOPROXY": "off"}
    subprocess.run([need("go"), "run", "."], cwd=tmp_path, env=environment, check=True)
    with tarfile.open(tmp_path / "layer.tar") as tar:
        assert {entry.name for entry in tar if entry.isfile()} == SIX
    theirs = exported(imgutils_store)
    assert '"Element"=str(1):"buildpacks.io"' in theirs
    assert exported(tmp_path / "BCD") == theirs.replace("buildpacks.io", "winscratch")


@pytest.fixture(scope="module")
def imgutils(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layout with an image that imgutil makes on its base layer."""
    folder = tmp_path_factory.mktemp("rebase")
    (folder / "layer.tar").write_bytes(tarred([*ROOTS, Part("Files/hello.exe", b"MZ")]))
    run(go_tool("./rebase"), "make", folder / "layer.tar", folder / "image")
    return folder / "image"


def test_imgutils_base_layer_is_known_by_its_diff_id(imgutils: Path) -> None:
    found = documents(imgutils)
    assert known(found.diff_ids) == IMGUTIL
    assert known(found.diff_ids[1:]) == ""
    assert found.diff_ids[1] == sha256((imgutils.parent / "layer.tar").read_bytes())


@pytest.mark.parametrize("name", ["imgutil", "legacy"])
@pytest.mark.parametrize("base", ["scratch", "hostprocess"])
def test_a_rebase_gives_the_layers_and_settings_that_imgutils_gives(
    name: str, base: str, imgutils: Path, tmp_path: Path
) -> None:
    if name == "legacy":
        image = tmp_path / "image"
        sources = image_runs.sources(tmp_path / "sources")
        image_runs.made(sources, f"oci:{image}", layer="legacy", env={"GREETING": "hello"}, entrypoint=("hello.exe",))
    else:
        image = imgutils
    image_runs.made(tmp_path, f"oci:{tmp_path}/base", source=(), layer=base, entrypoint=())
    run(go_tool("./rebase"), "move", image, documents(image).diff_ids[0], tmp_path / "base", tmp_path / "theirs")
    composing.rebase(f"oci:{image}", base, f"oci:{tmp_path}/ours")
    composing.rebase(f"oci:{image}", f"oci:{tmp_path}/base", f"oci:{tmp_path}/again")
    theirs, before = documents(tmp_path / "theirs"), documents(image)
    for folder in ("ours", "again"):
        ours = documents(tmp_path / folder)
        assert (ours.layers, ours.diff_ids) == (theirs.layers, theirs.diff_ids)
        assert ours.layers[1:] == before.layers[1:]
        assert ours.layers[0] != before.layers[0]
        assert ours.config["config"] == theirs.config["config"]
        assert len(ours.config["history"]) == len(theirs.config["history"]) == len(ours.layers)
