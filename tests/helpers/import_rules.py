# SPDX-License-Identifier: Apache-2.0
"""The table of Windows' import rules, and where the sources that it names are on this machine."""

import json
import subprocess
from functools import cache
from pathlib import Path

from .import_rules_names import LINKS, NAMES, WHITEOUTS
from .import_rules_tar import TAR
from .import_rules_windows import HIVES, RECORD, UTILITY
from .import_sources import GO
from .support import lack, need

ROWS = [*TAR, *WHITEOUTS, *LINKS, *NAMES, *UTILITY, *HIVES, *RECORD]


@cache
def folder_of(module: str) -> Path:
    """Return where the source of a module is on this machine, or of Go's own package."""
    if module == GO:
        done = subprocess.run([need("go"), "env", "GOROOT"], capture_output=True, text=True, check=True, timeout=60)
        return Path(done.stdout.strip(), "src", module)
    command = [need("go"), "mod", "download", "-json", module]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd="/")
    if done.returncode:
        lack(f"{module} cannot be had: {done.stdout}{done.stderr}")
    return Path(json.loads(done.stdout)["Dir"])
