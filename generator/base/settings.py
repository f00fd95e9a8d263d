# SPDX-License-Identifier: Apache-2.0
"""Settings from the environment variables WINSCRATCH_…."""

import os

from .errors import GeneratorError


def setting(name: str) -> str:
    """Return the environment variable WINSCRATCH_*name*, or "" if it is unset or empty."""
    return os.environ.get(f"WINSCRATCH_{name}", "")


def timeout() -> int | None:
    """Return WINSCRATCH_TIMEOUT in seconds, or None if it is unset; raises GeneratorError for anything else."""
    text = setting("TIMEOUT")
    if text and not (text.isascii() and text.isdigit() and len(text) <= 6 and text[0] != "0"):
        raise GeneratorError(f"WINSCRATCH_TIMEOUT: invalid number {text!r}; hint: use whole seconds, 1 to 999999")
    return int(text) if text else None
