# SPDX-License-Identifier: Apache-2.0
"""Decode the data of registry values by their type."""

from collections.abc import Mapping
from typing import Final, Literal

from . import model
from .model import Value
from .structures import VALUE_TYPES

Decoded = str | int | tuple[str, ...] | bytes

_TEXTS: Final = frozenset({model.REG_SZ, model.REG_EXPAND_SZ, model.REG_LINK})
_NUMBERS: Final[Mapping[int, tuple[int, Literal["little", "big"]]]] = {
    model.REG_DWORD: (4, "little"),
    model.REG_DWORD_BIG_ENDIAN: (4, "big"),
    model.REG_QWORD: (8, "little"),
}


def type_name(kind: int) -> str:
    """Return Windows' name for a registry type, or its number if Windows has no name."""
    return VALUE_TYPES.get(kind, f"0x{kind:x}")


def decode_value(value: Value) -> Decoded:
    """Return a value's data decoded by its type, texts without their final NUL; bytes if they do not fit it."""
    data = value.data
    if value.type in _NUMBERS:
        size, order = _NUMBERS[value.type]
        return int.from_bytes(data, order) if len(data) == size else data
    if value.type not in _TEXTS and value.type != model.REG_MULTI_SZ:
        return data
    try:
        text = data.decode("utf-16-le")
    except UnicodeDecodeError:
        return data
    if value.type == model.REG_MULTI_SZ:
        texts = text.removesuffix("\0").split("\0")
        return tuple(texts[:-1] if texts[-1] == "" else texts)
    return text.removesuffix("\0")
