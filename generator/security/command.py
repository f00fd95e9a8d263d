# SPDX-License-Identifier: Apache-2.0
"""The command `sddl`: convert a security descriptor from SDDL to a layer's PAX record, and back."""

import base64
import binascii
import re

from ..base import console
from ..base.console import Say
from ..base.errors import EXIT_OK, GeneratorError, shorten
from .descriptor import DescriptorError, from_bytes, to_bytes
from .sddl import SddlError, from_text, to_text


def sddl(text: str, *, decode: bool, say: Say = console.say) -> int:
    """Print SDDL *text* as base64 for the record MSWINDOWS.rawsd or, with *decode*, base64 as SDDL; return 0.

    Raise GeneratorError with the position of the error in *text*: characters count from 1, bytes from 0.
    """
    try:
        say(_decoded(text) if decode else base64.b64encode(to_bytes(from_text(text))).decode("ascii"))
    except SddlError as error:
        raise GeneratorError(f"{shorten(text)}: at character {error.position + 1}: {error}") from error
    except DescriptorError as error:
        raise GeneratorError(f"{shorten(text)}: at byte {error.position} of the descriptor: {error}") from error
    except ValueError as error:
        raise GeneratorError(f"{shorten(text)}: {error}") from error
    return EXIT_OK


def _decoded(text: str) -> str:
    stray = re.search(r"[^A-Za-z0-9+/=]", text)
    if stray is not None:
        raise SddlError(stray.start(), f"{stray[0]!r} is not in base64")
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"invalid base64: {error}") from error
    return to_text(from_bytes(data))
