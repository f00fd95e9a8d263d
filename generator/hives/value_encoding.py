# SPDX-License-Identifier: Apache-2.0
"""Encode TOML data as a registry value's data, for the hives and the BCD stores of a layer specification.

Each function raises GeneratorError with the TOML key path for data that the value cannot hold.
"""

import struct
from typing import Any

from ..base.errors import GeneratorError, brief
from ..base.toml import KeyPath
from .model import MAX_DATA


def stored(text: str) -> bytes:
    """Return *text* as REG_SZ stores it: UTF-16, little-endian, with its NUL."""
    return (text + "\0").encode("utf-16-le")


def text(data: Any, place: KeyPath) -> bytes:
    """Return a TOML string as REG_SZ stores it; raise GeneratorError for another type or a NUL in the string."""
    if not isinstance(data, str) or "\0" in data:
        raise out_of_place(data, place, "use a string without NUL")
    return stored(data)


def integer(data: Any, place: KeyPath, bits: int) -> int:
    """Return a TOML integer that fits into *bits* bits, unsigned; raise GeneratorError for anything else."""
    if type(data) is not int or not 0 <= data < 1 << bits:
        raise out_of_place(data, place, f"use an integer from 0 to 2^{bits} - 1")
    return data


def number(layout: str, data: Any, place: KeyPath) -> bytes:
    """Return a TOML integer packed by *layout*, an unsigned format of struct; raise as integer() does."""
    return struct.pack(layout, integer(data, place, 8 * struct.calcsize(layout)))


def check_size(data: bytes, place: KeyPath) -> None:
    """Raise GeneratorError for data so large that hivex would store it in a way Windows does not read."""
    if len(data) > MAX_DATA:
        raise place.error(f"{len(data)} bytes are too many", f"store at most {MAX_DATA} bytes")


def out_of_place(data: Any, place: KeyPath, right: str) -> GeneratorError:
    """Return the error for *data* of the wrong kind at *place*; *right* is the hint."""
    return place.error(f"{brief(data)} is out of place", right)
