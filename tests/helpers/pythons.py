# SPDX-License-Identifier: Apache-2.0
"""Pythons of other versions."""

import os
from pathlib import Path

from .support import need


def python(version: str) -> str:
    """Return a Python of *version*, such as 3.12, from pyenv or PATH."""
    versions = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    found = sorted(versions.glob(f"{version}.*/bin/python3"))
    return str(found[0]) if found else need(f"python{version}")
