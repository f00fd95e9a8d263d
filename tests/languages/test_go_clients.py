# SPDX-License-Identifier: Apache-2.0
"""The Go modules in the client their users have, and the images that come out in others' hands."""

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.committed_modules import LAYERS, PROJECT, registry, run
from helpers.counts import thorough
from helpers.support import lack, need

OLDEST = "go1.18.10"  # the last of the version that output/go/go.mod asks for; the go command downloads it
FILES = {
    "UtilityVM/Files/EFI/Microsoft/Boot/BCD",
    *(f"Files/Windows/System32/config/{name}" for name in ("DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM")),
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example") / "layout"
    run(need("go"), "run", ".", folder, cwd=PROJECT / "examples/go")
    return folder


def test_the_layers_build_for_windows() -> None:
    run(need("go"), "build", "./...", cwd=PROJECT / "output/go", GOOS="windows", GOARCH="amd64")


@thorough("builds Go programs")
@pytest.mark.parametrize("toolchain", ["local", OLDEST])
def test_the_documented_examples_print_what_they_say(toolchain: str) -> None:
    go = need("go")
    environment = os.environ | {"GOTOOLCHAIN": toolchain}
    done = subprocess.run([go, "version"], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lack(f"{toolchain}: not to be had: {done.stderr.strip()[-200:]}")
    assert toolchain == "local" or toolchain in done.stdout
    for command in (["vet"], ["test", "-v"]):
        said = run(go, *command, "./...", cwd=PROJECT / "output/go", GOTOOLCHAIN=toolchain)
    examples = {"Example", "ExampleWriter_AddFS", "ExampleWriter_WriteHeader", "ExampleCode", "ExamplePrepare"}
    assert set(re.findall(r"^--- PASS: (\w+)", said, re.MULTILINE)) == examples
    assert said.count("--- PASS: Example ") == len(LAYERS) + 1


@thorough("builds Go programs")
def test_the_client_takes_the_layers_as_they_are(address: str) -> None:
    said = run(need("go"), "test", "-v", "./...", cwd=PROJECT / "tests/languages/go", WINSCRATCH_TEST_REGISTRY=address)
    assert "--- PASS: TestDebiansRegistryKeepsTheImage" in said
    assert "--- SKIP" not in said


def test_skopeo_pushes_and_pulls_the_examples_image(layout: Path, address: str, tmp_path: Path) -> None:
    skopeo = need("skopeo")
    image = f"docker://{address}/skopeo/example:latest"
    run(skopeo, "--insecure-policy", "copy", "--dest-tls-verify=false", f"oci:{layout}:latest", image)
    back = f"oci:{tmp_path}/back:latest"
    run(skopeo, "--insecure-policy", "copy", "--src-tls-verify=false", image, back)
    sent, got = (json.loads(run(skopeo, "inspect", where)) for where in (f"oci:{layout}:latest", back))
    assert got == sent
    assert (got["Os"], got["Architecture"], len(got["Layers"])) == ("windows", "amd64", 2)


def test_the_examples_image_has_the_published_blob_and_starts_no_program(layout: Path) -> None:
    skopeo = need("skopeo")
    image = f"oci:{layout}:latest"
    blob = (PROJECT / "output/layers/scratch.tar.gz").read_bytes()
    assert json.loads(run(skopeo, "inspect", image))["Layers"][0] == f"sha256:{hashlib.sha256(blob).hexdigest()}"
    config = json.loads(run(skopeo, "inspect", "--config", image)).get("config", {})
    assert config.keys().isdisjoint({"Cmd", "Entrypoint"})


def test_umoci_unpacks_the_examples_image(layout: Path, tmp_path: Path) -> None:
    # Raw, since umoci makes bundles for Linux only.
    root = tmp_path / "root"
    run(need("umoci"), "raw", "unpack", "--rootless", "--image", f"{layout}:latest", root)
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert files == {*FILES, "Files/hello.txt"}
