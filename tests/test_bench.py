# SPDX-License-Identifier: Apache-2.0
"""The benches run on a machine that has not all they could measure."""

import os
import re
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[1] / "bench"


def test_an_engine_that_does_not_work_is_left_out_of_the_measure(tmp_path: Path) -> None:
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/no-daemon"}
    command: list[str | Path] = [sys.executable, BENCH / "generate.py", "1"]
    done = subprocess.run(command, env=os.environ | nowhere, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "\nnot measured: error: --engine docker: " in done.stdout
    assert re.search(r"^--engine builtin +[\d,]+ ms more$", done.stdout, re.MULTILINE)
    assert "--engine docker  " not in done.stdout
