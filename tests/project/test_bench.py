# SPDX-License-Identifier: Apache-2.0
"""The benches run on a machine that has not all they could measure."""

import os
import re
import subprocess
import sys
from pathlib import Path

from helpers.counts import thorough

BENCH = Path(__file__).parents[2] / "bench"


@thorough("takes every measure")
def test_an_engine_that_does_not_work_is_left_out_of_the_measure(tmp_path: Path) -> None:
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/no-daemon"}
    command: list[str | Path] = [sys.executable, BENCH / "generate.py", "1"]
    done = subprocess.run(command, env=os.environ | nowhere, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "\nnot measured: error: --engine: docker: " in done.stdout
    assert re.search(r"^--engine builtin +[\d,]+ ms more$", done.stdout, re.MULTILINE)
    assert "--engine docker  " not in done.stdout


@thorough("takes every measure")
def test_the_bench_of_images_measures_the_tools_that_are_there(tmp_path: Path) -> None:
    command: list[str | Path] = [sys.executable, BENCH / "image.py", "5"]
    none = {"CRANE": "", "PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, env=os.environ | none, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^50 binaries, \d MB, ", done.stdout, re.MULTILINE)
    assert re.search(r"^500 small files, \d MB, ", done.stdout, re.MULTILINE)
    for name in ("winscratch", "winscratch, again", "winscratch, read again", "winscratch, fast", r"tar \| gzip -6"):
        row = rf"^{name} +\d+\.\d\d s +\d+\.\d\d(?: \(goal [\d.]+\))? +\d+\.\d\d s +\d+\.\d MB +\d+ MB$"
        assert len(re.findall(row, done.stdout, re.MULTILINE)) == 2, done.stdout
    for name in ("gzip -t of the blobs", "winscratch check-image"):
        row = rf"^{name} +\d+\.\d\d s +\d+\.\d\d +\d+\.\d\d s +\d+\.\d\d +\d+ MB$"
        assert len(re.findall(row, done.stdout, re.MULTILINE)) == 2, done.stdout
    assert not list(tmp_path.iterdir())
