# SPDX-License-Identifier: Apache-2.0
"""Beside buildpacks/imgutil itself: its BCD store, proven in the field, and a copy that takes its two files' place."""

import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from helpers.support import need

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
