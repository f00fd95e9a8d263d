# SPDX-License-Identifier: Apache-2.0
"""Read the facts about layers on top from files.toml, check them, and compile their security descriptors.

A layer on top holds an image's files, above a base layer. The writers of such layers in every language are rendered
from these facts; docs/layer-on-top.md documents the resulting bytes.
"""

import base64
import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ..base import toml
from ..base.errors import GeneratorError
from ..security import descriptor, sddl

FACTS = Path(__file__).with_name("files.toml")
SHOWN = f"generator/oci/{FACTS.name}"

Unit = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]


class _FactRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A TOML table that allows no unknown keys."""


class Records(_FactRecord, frozen=True):
    """The keys of the PAX records that Windows reads, beside POSIX's own."""

    attributes: str
    descriptor: str
    created: str


class Attributes(_FactRecord, frozen=True):
    """The bits of a file's attributes."""

    read_only: int
    hidden: int
    system: int
    directory: int
    archive: int
    normal: int
    reparse_point: int


class Kind(_FactRecord, frozen=True):
    """A kind of entry: tar's type, the mode, its fixed attributes, and its default ones."""

    type: str
    mode: int
    attributes: int | None = None
    default: int = 0


class Limits(_FactRecord, frozen=True):
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


class Names(_FactRecord, frozen=True):
    """Invalid parts of file names; *controls* is the number of invalid characters from NUL on."""

    controls: int
    characters: str
    target_characters: str
    endings: str
    devices: tuple[str, ...]


class Descriptors(_FactRecord, frozen=True):
    """A security descriptor for directories and one for everything else; SDDL, or empty for no record."""

    directory: str = ""
    file: str = ""


class Folding(_FactRecord, frozen=True):
    """Capitals of UTF-16 units, as runs: first, last, step, and the capital of the first."""

    unicode: str
    runs: tuple[tuple[Unit, Unit, Unit, Unit], ...]


class Facts(_FactRecord, frozen=True):
    """The content of files.toml."""

    roots: tuple[str, str]
    whiteout: str
    records: Records
    attributes: Attributes
    kinds: dict[str, Kind]
    limits: Limits
    names: Names
    descriptors: dict[str, Descriptors]
    errors: dict[str, str]
    folding: Folding

    def reasons(self) -> dict[str, str]:
        """Return the message for each error code, with the facts filled in."""
        known = msgspec.structs.asdict(self.limits) | {"whiteout": self.whiteout}
        return {
            code: text.format_map(
                {key: f"{value:,}" if isinstance(value, int) else value for key, value in known.items()}
            )
            for code, text in self.errors.items()
        }

    def default_date(self) -> str:
        """Return the day on which the default time is, as YYYY-MM-DD."""
        return datetime.datetime.fromtimestamp(self.limits.default_time // 10**9, datetime.UTC).date().isoformat()

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


@cache
def facts() -> Facts:
    """Return the facts of this checkout; raise GeneratorError with the file and the problem."""
    return parse(FACTS.read_bytes(), SHOWN)


def parse(raw: bytes, shown: str) -> Facts:
    """Return the facts in a TOML document; *shown* is its path in errors."""
    try:
        found = msgspec.convert(toml.parse(raw, shown), Facts)
        found.compiled()
        found.reasons()
    except (ValueError, KeyError) as error:
        raise GeneratorError(f"{shown}: {error}; hint: see the comments there") from error
    return found


def context() -> dict[str, Any]:
    """Return the variables of the writers' templates."""
    known = facts()
    encoded = {name: tuple(map(_encoded, both)) for name, both in known.compiled().items()}
    return {"facts": known, "reasons": known.reasons(), "descriptors": encoded, "default": next(iter(encoded))}


def _compile(text: str) -> bytes:
    return descriptor.to_bytes(sddl.from_text(text)) if text else b""


def _encoded(data: bytes) -> str:
    """Return a security descriptor as in its PAX record: base64, padded."""
    return base64.b64encode(data).decode("ascii")
