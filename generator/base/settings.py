# SPDX-License-Identifier: Apache-2.0
"""The settings that environment variables named WINSCRATCH_… make. Standard library only, and little of it."""

import os

from .errors import GeneratorError


def setting(name: str) -> str:
    """Return the environment variable WINSCRATCH_*name*; an empty one counts as unset, as is usual in CI files."""
    return os.environ.get(f"WINSCRATCH_{name}", "")


def timeout() -> int | None:
    """Return WINSCRATCH_TIMEOUT in seconds, or None where it is unset; raises GeneratorError for anything else."""
    text = setting("TIMEOUT")
    if text and not (text.isascii() and text.isdigit() and len(text) <= 6 and text[0] != "0"):
        raise GeneratorError(f"WINSCRATCH_TIMEOUT is {text!r}; give it whole seconds, from 1 to 999999")
    return int(text) if text else None
