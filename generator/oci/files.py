# SPDX-License-Identifier: Apache-2.0
"""The facts about layers on top: what files.toml says, checked, with its security descriptors compiled.

A layer on top holds an image's files and goes on a base layer. The writers of such layers in every language are
rendered from these facts, and docs/layer-on-top.md says what they mean for the bytes.
"""

import base64
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


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A TOML table with no keys but those named."""


class Records(_Record, frozen=True):
    """The keys of the PAX records that Windows reads, beside POSIX's own."""

    attributes: str
    descriptor: str
    created: str


class Attributes(_Record, frozen=True):
    """The bits of a file's attributes."""

    read_only: int
    hidden: int
    system: int
    directory: int
    archive: int
    normal: int
    reparse_point: int


class Kind(_Record, frozen=True):
    """A kind of entry: tar's type, the mode, and which attributes are always there and which by default, if any."""

    type: str
    mode: int
    attributes: int | None = None
    default: int = 0


class Limits(_Record, frozen=True):
    """The limits of an entry: texts in UTF-16 units, times in nanoseconds since 1970, the rest in bytes or a count.

    *default_time* is the time of entries for which no other is given.
    """

    path: int
    parts: int
    part: int
    target: int
    names: int
    descriptor: int
    size: int
    time_step: int
    time_least: int
    time_most: int
    default_time: int


class Names(_Record, frozen=True):
    """What the name of a file cannot have; *controls* is the number of characters from NUL on."""

    controls: int
    characters: str
    target_characters: str
    endings: str
    devices: tuple[str, ...]


class Descriptors(_Record, frozen=True):
    """A security descriptor for directories and one for everything else; SDDL, or empty for no record."""

    directory: str = ""
    file: str = ""


class Folding(_Record, frozen=True):
    """One UTF-16 unit to its capital, as runs: from, to, step, and the capital of the first."""

    unicode: str
    runs: tuple[tuple[Unit, Unit, Unit, Unit], ...]


class Facts(_Record, frozen=True):
    """All that files.toml says."""

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
        """Return what each error's code says, with the facts filled in."""
        known = msgspec.structs.asdict(self.limits) | {"whiteout": self.whiteout}
        return {
            code: text.format_map(
                {key: f"{value:,}" if isinstance(value, int) else value for key, value in known.items()}
            )
            for code, text in self.errors.items()
        }

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
    """Return the facts of this checkout; raises GeneratorError that names the file and what is wrong with it."""
    return parse(FACTS.read_bytes(), SHOWN)


def parse(raw: bytes, shown: str) -> Facts:
    """Return the facts of a TOML document; *shown* is its path in errors."""
    try:
        found = msgspec.convert(toml.parse(raw, shown), Facts)
        found.compiled()
        found.reasons()
    except (ValueError, KeyError) as error:
        raise GeneratorError(f"{shown}: {error}; see the comments there") from error
    return found


def context() -> dict[str, Any]:
    """Return what the templates of the writers see of the facts."""
    known = facts()
    encoded = {name: tuple(map(_encoded, both)) for name, both in known.compiled().items()}
    return {"facts": known, "reasons": known.reasons(), "descriptors": encoded, "default": next(iter(encoded))}


def _compile(text: str) -> bytes:
    return descriptor.to_bytes(sddl.from_text(text)) if text else b""


def _encoded(data: bytes) -> str:
    """Return a security descriptor as its record has it: base64, padded."""
    return base64.b64encode(data).decode("ascii")
