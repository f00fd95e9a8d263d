# SPDX-License-Identifier: Apache-2.0
"""The Python modules in other people's programs: checkers, a zipped package, an OCI client, the examples."""

import ast
import hashlib
import json
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.committed_modules import LAYERS, OUTPUT, PROJECT, registry, run
from helpers.counts import thorough
from helpers.support import need, need_package

MODULES = [OUTPUT / f"python/windows_{name}.py" for name in (*LAYERS, "files")]
PATH = str(OUTPUT / "python")


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


def test_mypy_finds_nothing(tmp_path: Path) -> None:
    # Without the project's own settings, as a vendoring project would run it.
    (tmp_path / "empty.ini").write_text("[mypy]\n")
    need_package("mypy")
    cache = ["--cache-dir", str(tmp_path / "cache")]
    run(sys.executable, "-m", "mypy", "--strict", "--config-file", tmp_path / "empty.ini", *cache, *MODULES)


@thorough("checks types a second time")
def test_pyright_finds_nothing(tmp_path: Path) -> None:
    need_package("pyright")
    need("node")  # else it would fetch one
    copies = []
    for module in MODULES:
        copies.append(tmp_path / module.name)
        copies[-1].write_bytes(module.read_bytes())
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict", "pythonVersion": "3.8"}')
    said = run(sys.executable, "-m", "pyright", "--project", tmp_path, PYRIGHT_PYTHON_IGNORE_WARNINGS="1")
    assert "0 errors, 0 warnings" in said


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_only_the_standard_library_is_imported(module: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add((node.module or "").partition(".")[0])
    assert imported <= sys.stdlib_module_names


@pytest.mark.parametrize("layer", LAYERS)
def test_a_zipped_package_carries_the_layer(layer: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("vendoring/__init__.py", "")
        archive.write(OUTPUT / f"python/windows_{layer}.py", f"vendoring/windows_{layer}.py")
    script = f"from vendoring import windows_{layer} as module; module.verify(); print(module.__file__, module.DIGEST)"
    said = run(sys.executable, "-W", "error", "-c", script, PYTHONPATH=str(tmp_path / "app.zip"))
    blob = (OUTPUT / f"layers/{layer}.tar.gz").read_bytes()
    assert said.startswith(f"{tmp_path}/app.zip/vendoring/windows_{layer}.py sha256:")
    assert said.strip().endswith(_digest(blob))


def test_the_example_writes_a_layout_that_others_read(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    run(sys.executable, "-W", "error", PROJECT / "examples/python/oci_layout.py", layout, PYTHONPATH=PATH)
    found = json.loads(run(need("skopeo"), "inspect", f"oci:{layout}:latest"))
    blob = (OUTPUT / "layers/scratch.tar.gz").read_bytes()
    assert found["Os"] == "windows"
    config = json.loads(run(need("skopeo"), "inspect", "--config", f"oci:{layout}:latest")).get("config", {})
    assert config.keys().isdisjoint({"Cmd", "Entrypoint"}), "the image has an entry point"
    assert found["Layers"][0] == _digest(blob)
    assert layout.joinpath("blobs/sha256", _digest(blob).removeprefix("sha256:")).read_bytes() == blob


def test_the_example_pushes_an_image_that_comes_back_the_same(address: str) -> None:
    client = need_package("oras.client").OrasClient(insecure=True)
    target = f"{address}/python/example:latest"
    run(sys.executable, PROJECT / "examples/python/push.py", target, "--insecure", PYTHONPATH=PATH)
    manifest = client.get_manifest(client.get_container(target))
    pulled = client.get_blob(client.get_container(target), manifest["layers"][0]["digest"]).content
    assert pulled == (OUTPUT / "layers/scratch.tar.gz").read_bytes()
    for entry in (manifest["config"], *manifest["layers"]):
        with urllib.request.urlopen(f"http://{address}/v2/python/example/blobs/{entry['digest']}") as answer:
            data = answer.read()
        assert (_digest(data), len(data)) == (entry["digest"], entry["size"])
