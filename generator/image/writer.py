# SPDX-License-Identifier: Apache-2.0
"""Load the writer of layers on top: the committed Python module that projects vendor."""

import hashlib
import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from ..base import home
from ..base.errors import GeneratorError

MODULE = "output/python/windows_files.py"


@cache
def writer() -> Any:
    """Return the module; raises GeneratorError if it is missing.

    It is generated, not part of this package, so it is loaded from its file.
    """
    path = f"{home.ROOT}/{MODULE}"
    spec = spec_from_file_location(f"{__package__}._windows_files", path)
    if spec is None or spec.loader is None:
        raise GeneratorError(f"{path}: no Python module; hint: {home.RENEW}")
    module = sys.modules[spec.name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (OSError, SyntaxError) as error:
        raise GeneratorError(f"{path}: cannot be loaded: {error}; hint: {home.RENEW}") from error
    return module


@cache
def version() -> str:
    """Return a hash of the module."""
    return hashlib.sha256(Path(writer().__file__).read_bytes()).hexdigest()
