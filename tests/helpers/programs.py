# SPDX-License-Identifier: Apache-2.0
"""Programs for tests: as little of a PE file as names its machine."""

AMD64, ARM64, I386 = 0x8664, 0xAA64, 0x14C


def pe(machine: int = AMD64, at: int = 0x80) -> bytes:
    """Return the start of a program for *machine*, with its PE header at *at*: Microsoft, "PE Format"."""
    head = b"MZ".ljust(0x3C, b"\0") + at.to_bytes(4, "little")
    return head.ljust(at, b"\0") + b"PE\0\0" + machine.to_bytes(2, "little") + bytes(64)
