# SPDX-License-Identifier: Apache-2.0
"""What the README shows and states, held against what is there."""

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text("utf-8")


def test_the_python_example_saves_the_layer_as_it_is_committed(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "output/python"), "PYTHONDONTWRITEBYTECODE": "1"}
    command: list[str | Path] = [sys.executable, "-W", "error", PROJECT / "examples/python/save.py", tmp_path]
    subprocess.run(command, check=True, env=environment)
    blob = (PROJECT / "output/layers/scratch.tar.gz").read_bytes()
    assert (tmp_path / "layer.tar.gz").read_bytes() == blob
    assert (tmp_path / "layer.tar").read_bytes() == gzip.decompress(blob)
    assert (tmp_path / "BCD").read_bytes()[:4] == b"regf"


def test_the_sizes_in_the_table_of_layers_are_those_of_the_blobs() -> None:
    rows = re.findall(r"^\| `(\w+)` .*\| ([\d,]+) \| ([\d,]+) \|$", README, re.MULTILINE)
    assert {name for name, _, _ in rows} == {path.stem for path in (PROJECT / "generator/layers").glob("*.toml")}
    for name, tar, compressed in rows:
        blob = (PROJECT / f"output/layers/{name}.tar.gz").read_bytes()
        assert (len(gzip.decompress(blob)), len(blob)) == (int(tar.replace(",", "")), int(compressed.replace(",", "")))


def test_every_invoke_task_is_named_in_the_readme_and_no_other() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "invoke", "--list", "--list-format=flat"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    tasks = set(re.findall(r"^  (\S+)", listed, re.MULTILINE))
    assert tasks == set(re.findall(r"\./invokew ([a-z-]+)", README))
