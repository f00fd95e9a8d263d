# SPDX-License-Identifier: Apache-2.0
"""What turns TOML data into a registry value's data, whoever's words ask for it: a hive's or a BCD store's.

Each refuses, with the TOML key path, what the value cannot hold.
"""

from typing import Any

from ..base.errors import GeneratorError, brief
from ..base.toml import KeyPath
from .model import MAX_DATA


def stored(text: str) -> bytes:
    """Return *text* as REG_SZ stores it: UTF-16, little-endian, with its NUL."""
    return (text + "\0").encode("utf-16-le")


def text(data: Any, place: KeyPath) -> bytes:
    """Return a TOML string as REG_SZ stores it; raises GeneratorError for anything else and for a NUL inside."""
    if not isinstance(data, str) or "\0" in data:
        raise out_of_place(data, place, "use a string without NUL")
    return stored(data)


def integer(data: Any, place: KeyPath, bits: int) -> int:
    """Return a TOML integer that *bits* bits hold without a sign; raises GeneratorError for anything else."""
    if type(data) is not int or not 0 <= data < 1 << bits:
        raise out_of_place(data, place, f"use an integer from 0 to 2^{bits} - 1")
    return data


def check_size(data: bytes, place: KeyPath) -> None:
    """Raise GeneratorError for a value's data that hivex would store in a way Windows does not read."""
    if len(data) > MAX_DATA:
        raise place.error(f"{len(data)} bytes are too many", f"store at most {MAX_DATA} bytes")


def out_of_place(data: Any, place: KeyPath, right: str) -> GeneratorError:
    """Return the error for *data* of another kind than what is *right* at *place*."""
    return place.error(f"{brief(data)} is out of place", right)
