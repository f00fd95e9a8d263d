# SPDX-License-Identifier: Apache-2.0
"""Layers as Windows' own importers read them: their parser, github.com/Microsoft/go-winio, run by wine."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from generator.builder.wire import ROOT

from .support import need
from .wine import on_windows


def read_by_windows(data: bytes, folder: Path) -> list[dict[str, Any]]:
    """Return go-winio's reading of each entry of a layer's tar, as the Go program backuptar prints it."""
    program = folder / "backuptar.exe"
    command = [need("go"), "build", "-o", str(program), "./backuptar"]
    environment = os.environ | {"GOOS": "windows", "GOARCH": "amd64"}
    subprocess.run(command, cwd=ROOT / "tests/languages/go", env=environment, check=True)
    done = on_windows(program, folder=folder, data=data)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]
