# SPDX-License-Identifier: Apache-2.0
"""Identify a program by its first bytes: which machine it is for, or why Windows cannot run it.

Sources: Microsoft, "PE Format": the offset of the header is at 0x3C, the machine follows the signature ``PE\\0\\0``,
and 0x2000 in the characteristics marks a DLL; Apple, mach-o/loader.h: MH_MAGIC and MH_MAGIC_64.
"""

from typing import Literal, NamedTuple

HEAD = 4096  # bytes that identify() needs: linkers put the PE header into the first 1024
_OFFSET, _SIGNATURE = 0x3C, b"PE\0\0"
_MACHINES = {0x8664: "amd64", 0xAA64: "arm64", 0x14C: "386", 0x1C4: "arm"}  # as Go calls them
_CHARACTERISTICS, _DLL = 22, 0x2000  # offset from the header, and a bit

Kind = Literal["pe", "dll", "mz", "elf", "mach-o", "script", "other"]

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\x7fELF", "elf"),
    (b"\xce\xfa\xed\xfe", "mach-o"),
    (b"\xcf\xfa\xed\xfe", "mach-o"),
    (b"#!", "script"),
)


class Program(NamedTuple):
    """What a file is: *machine* is the architecture of a "pe", empty if it is unknown."""

    kind: Kind
    machine: str = ""


def identify(head: bytes) -> Program:
    """Return what the file is that begins with *head*: its first HEAD bytes, or fewer if the file is shorter."""
    if not head.startswith(b"MZ"):
        return Program(next((kind for magic, kind in _MAGIC if head.startswith(magic)), "other"))
    at = int.from_bytes(head[_OFFSET : _OFFSET + 4], "little") if len(head) >= _OFFSET + 4 else 0
    if at + 6 > HEAD <= len(head):
        return Program("pe")  # the header lies beyond what was read
    if not at or head[at : at + 4] != _SIGNATURE or len(head) < at + 6:
        return Program("mz")
    characteristics = head[at + _CHARACTERISTICS : at + _CHARACTERISTICS + 2]
    if int.from_bytes(characteristics, "little") & _DLL:
        return Program("dll")
    return Program("pe", _MACHINES.get(int.from_bytes(head[at + 4 : at + 6], "little"), "an unknown machine"))
