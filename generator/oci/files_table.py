# SPDX-License-Identifier: Apache-2.0
"""Define the records of files.toml, and what follows from its facts."""

import datetime
from typing import Annotated, Literal

import msgspec

from ..base.toml import TomlTable
from ..security import descriptor, sddl

Unit = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]


class PaxRecord(TomlTable, frozen=True):
    """A PAX record: its key, the condition for it (files.toml lists them), and the source of both."""

    key: str
    when: Literal["always", "own", "given", "long", "inexact", "large"]
    source: Literal["backuptar", "pax"]


class Attributes(TomlTable, frozen=True):
    """The bits of a file's attributes: those of kinds, *normal* for none, and the *settable* ones by name."""

    directory: int
    reparse_point: int
    normal: int
    settable: dict[str, int]

    @property
    def mask(self) -> int:
        """The sum of the attributes that an entry can be given."""
        return sum(self.settable.values())

    def names(self) -> dict[int, str]:
        """Return the name of each bit, the smallest first."""
        fixed = {self.directory: "directory", self.reparse_point: "reparse_point", self.normal: "normal"}
        return dict(sorted((fixed | {bit: name for name, bit in self.settable.items()}).items()))


class Kind(TomlTable, frozen=True):
    """A kind of entry: tar's type, the mode, its fixed attributes, and its default ones."""

    type: str
    mode: int
    attributes: int | None = None
    default: int = 0


class Limits(TomlTable, frozen=True):
    """The limits of an entry: texts in UTF-16 units, times in nanoseconds since 1970, the rest in bytes or a count.

    *default_time* is the time of entries for which no other is given.
    """

    path: int
    parts: int
    part: int
    directory: int
    target: int
    names: int
    descriptor: int
    size: int
    time_step: int
    time_least: int
    time_most: int
    default_time: int


class Names(TomlTable, frozen=True):
    """Invalid parts of file names; *controls* is the number of invalid characters from NUL on."""

    controls: int
    characters: str
    target_characters: str
    endings: str
    devices: tuple[str, ...]


class Descriptors(TomlTable, frozen=True):
    """A security descriptor for directories and one for everything else; SDDL, or empty for no record."""

    directory: str = ""
    file: str = ""


class Folding(TomlTable, frozen=True):
    """Capitals of UTF-16 units, as runs: first, last, step, and the capital of the first."""

    unicode: str
    runs: tuple[tuple[Unit, Unit, Unit, Unit], ...]


class Facts(TomlTable, frozen=True):
    """The content of files.toml."""

    roots: tuple[str, ...]
    users_root: str
    hives_root: str
    whiteout: str
    records: dict[str, PaxRecord]
    attributes: Attributes
    kinds: dict[str, Kind]
    limits: Limits
    names: Names
    descriptors: dict[str, Descriptors]
    errors: dict[str, str]
    folding: Folding

    def key(self, record: str) -> str:
        """Return the key of a PAX record by the name of what it holds."""
        return self.records[record].key

    def reasons(self) -> dict[str, str]:
        """Return the message for each error code, with the facts filled in."""
        limits = msgspec.structs.asdict(self.limits)
        known = {key: f"{value:,}" for key, value in limits.items()} | {"whiteout": self.whiteout}
        known |= {key: _date(limits[key]) for key in ("time_least", "time_most", "default_time")}
        return {code: text.format_map(known) for code, text in self.errors.items()}

    def default_date(self) -> str:
        """Return the day on which the default time is, as YYYY-MM-DD."""
        return _date(self.limits.default_time)

    def compiled(self) -> dict[str, tuple[bytes, bytes]]:
        """Return the security descriptors by name: for directories and for everything else, empty for no record."""
        return {name: (_compile(both.directory), _compile(both.file)) for name, both in self.descriptors.items()}

    def capitals(self) -> dict[int, int]:
        """Return every UTF-16 unit that has a capital, with that capital."""
        return {
            unit: unit - first + capital
            for first, last, step, capital in self.folding.runs
            for unit in range(first, last + 1, step)
        }


def _date(time: int) -> str:
    """Return the day of a time in nanoseconds from 1970, as YYYY-MM-DD."""
    return (datetime.date(1970, 1, 1) + datetime.timedelta(time // 86_400_000_000_000)).isoformat()


def _compile(text: str) -> bytes:
    return descriptor.to_bytes(sddl.from_text(text)) if text else b""
