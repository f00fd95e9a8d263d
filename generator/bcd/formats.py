# SPDX-License-Identifier: Apache-2.0
"""The formats of BCD elements: which registry type and which bytes a store keeps for each.

The second digit of an element's number is its format. Windows reads an element only if its value has the format's
registry type and a size that fits. Source: ReactOS boot/environ/lib/misc/bcd.c, BiConvertElementFormatToValueType and
BiConvertRegistryDataToElement, a reimplementation of Windows' boot library.
"""

import re
import struct
from enum import IntEnum
from typing import Final
from uuid import UUID

from ..base.errors import counted
from ..hives.model import REG_BINARY, REG_DWORD, REG_MULTI_SZ, REG_SZ, Value
from ..hives.value_decoding import type_name

ElementValue = str | int | bool | tuple[str, ...] | tuple[int, ...] | bytes


class Format(IntEnum):
    """The format of an element. Source: Microsoft, BcdElementType."""

    DEVICE = 1
    STRING = 2
    OBJECT = 3
    OBJECT_LIST = 4
    INTEGER = 5
    BOOLEAN = 6
    INTEGER_LIST = 7


REGISTRY_TYPES: Final[dict[int, int]] = {
    Format.DEVICE: REG_BINARY,
    Format.STRING: REG_SZ,
    Format.OBJECT: REG_SZ,
    Format.OBJECT_LIST: REG_MULTI_SZ,
    Format.INTEGER: REG_BINARY,
    Format.BOOLEAN: REG_BINARY,
    Format.INTEGER_LIST: REG_BINARY,
}
GUID: Final = re.compile(r"\{[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}", re.ASCII | re.IGNORECASE)

# A device: the GUID of an object with options, then a descriptor: type, flags, size, and what follows.
_DEVICE: Final = struct.Struct("<16sIIII")
_BLOCKS, _BOOT, _PARTITION, _LOCATE = 0, 5, 6, 8
_RAMDISK: Final = struct.pack("<I", 3)
# A partition: its GUID or its offset on the disk; the format of the partition table; the disk's GUID or signature.
_DISK_PARTITION: Final = struct.Struct("<16sII16s")


def format_of(number: int) -> int:
    """Return the format digit of an element's number."""
    return number >> 24 & 0xF


def element_value(number: int, value: Value) -> ElementValue:
    """Return the decoded data of the element *number*, or its bytes if they do not fit the format."""
    form, data = format_of(number), value.data
    match form:
        case Format.DEVICE:
            return device_text(data) or data
        case Format.STRING | 3 | 4 if value.type in {REG_SZ, REG_MULTI_SZ}:
            texts = _texts(data)
            return data if texts is None else tuple(texts) if form == Format.OBJECT_LIST else "".join(texts[:1])
        case Format.INTEGER if 0 < len(data) <= 8:
            return int.from_bytes(data, "little")
        case Format.BOOLEAN if len(data) == 1:
            return bool(data[0])
        case Format.INTEGER_LIST if len(data) % 8 == 0:
            return tuple(int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8))
    return data


def _texts(data: bytes) -> list[str] | None:
    """Return the texts in *data* up to the first empty one, as Windows reads them; None if it is not UTF-16."""
    try:
        texts = data.decode("utf-16-le").split("\0")
    except UnicodeDecodeError:
        return None
    return texts[: texts.index("")] if "" in texts else texts


def element_problem(number: int, value: Value) -> str:
    """Return why Windows does not read the element *number* from *value*, or an empty string."""
    form = format_of(number)
    wanted = REGISTRY_TYPES.get(form, REG_BINARY)
    if value.type != wanted:
        return f"a {type_name(value.type)}; Windows reads a {type_name(wanted)}"
    size, decoded = len(value.data), element_value(number, value)
    match form:
        case Format.DEVICE if size < _DEVICE.size or int.from_bytes(value.data[24:28], "little") + 16 != size:
            wrong = "a device with its own size"
        case Format.STRING if not size or size % 2:
            wrong = "UTF-16 text"
        case Format.OBJECT if not isinstance(decoded, str) or not GUID.fullmatch(decoded):
            wrong = "a GUID in braces"
        case Format.OBJECT_LIST if not isinstance(decoded, tuple) or not all(
            GUID.fullmatch(str(each)) for each in decoded
        ):
            wrong = "GUIDs in braces"
        case Format.INTEGER if not 0 < size <= 8:
            wrong = "1 to 8 bytes"
        case Format.BOOLEAN if size != 1:
            wrong = "1 byte"
        case Format.INTEGER_LIST if not size or size % 8:
            wrong = "8 bytes for each integer"
        case _:
            return ""
    return f"a {type_name(wanted)} of {counted(size, 'byte')}; Windows reads {wrong}"


def type_problem(value: Value | None) -> str:
    """Return why Windows does not read an object's type from the value Description\\Type, or an empty string.

    Source: ReactOS boot/environ/lib/misc/bcd.c, BiGetObjectDescription.
    """
    if value is None:
        return "missing; Windows reads a REG_DWORD"
    if value.type != REG_DWORD:
        return f"a {type_name(value.type)}; Windows reads a REG_DWORD"
    return "" if len(value.data) == 4 else f"a REG_DWORD of {counted(len(value.data), 'byte')}; Windows reads 4 bytes"


def device_text(data: bytes) -> str:
    """Return a device as bcdedit prints it, but a partition by its numbers: a store has no drive letters.

    Return an empty string for an unknown device.
    """
    if len(data) < _DEVICE.size:
        return ""
    options, kind, _, size, _ = _DEVICE.unpack_from(data)
    rest = data[_DEVICE.size : 16 + size]
    if kind == _PARTITION:
        partition = _partition(rest)
        return f"partition={partition}" if partition else ""
    if kind == _BLOCKS and rest[:4] == _RAMDISK:
        return _ramdisk(rest, UUID(bytes_le=options))
    return {_BOOT: "boot", _LOCATE: "locate"}.get(kind, "")


def _partition(data: bytes) -> str:
    if len(data) < _DISK_PARTITION.size:
        return ""
    partition, _, table, disk = _DISK_PARTITION.unpack_from(data)
    if table == 0:
        return f"{{{UUID(bytes_le=partition)}}} of disk {{{UUID(bytes_le=disk)}}}"
    offset, signature = int.from_bytes(partition[:8], "little"), int.from_bytes(disk[:4], "little")
    return f"0x{offset:x} of disk 0x{signature:08x}"


def _ramdisk(data: bytes, options: UUID) -> str:
    """Return a ramdisk as bcdedit prints it: *data* holds its file's partition, a device too, then the path."""
    at = data.find(struct.pack("<II", _PARTITION, 0))
    if at < 0:
        return ""
    end = at + int.from_bytes(data[at + 8 : at + 12], "little")
    path = data[end:].decode("utf-16-le", "replace").partition("\0")[0]
    return f"ramdisk=[{_partition(data[at + 16 : end])}]{path},{{{options}}}"
