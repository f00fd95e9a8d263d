# SPDX-License-Identifier: Apache-2.0
"""Security descriptors for tests: those that other projects' layers carry, and random ones."""

from random import Random
from typing import NamedTuple
from uuid import UUID

from generator.security.descriptor import OBJECT, Ace, Acl, Control, SecurityDescriptor, Sid
from generator.security.tables import KINDS, SIDS

_LIST_FLAGS = {"D": (0x1000, 0x0100, 0x0400), "S": (0x2000, 0x0200, 0x0800)}  # protected, to be inherited, inherited
_MASKS = (0, 1, 4, 0x1F01FF, 0x1200A9, 0x120089, 0x20019, 0xF003F, 0x10000000, 0xE0000000, 0xFFFFFFFF)


class Field(NamedTuple):
    """A descriptor that is in the field: its text, the record's base64, its size in bytes, its control word."""

    text: str
    base64: str
    size: int
    control: int


FIELD = {
    # moby/buildkit util/winlayers/differ.go and containers/buildah image.go
    "BuildKit's directories": Field(
        "O:BAG:SYD:(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;;FA;;;BA)(A;OICIIO;GA;;;CO)(A;OICI;0x1200a9;;;BU)"
        "(A;CI;LC;;;BU)(A;CI;DC;;;BU)",
        "AQAEgBQAAAAkAAAAAAAAADAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAAAgCoAAcAAAAAAxgA/wEfAAECAAAAAAAFIAAAACACAAAA"
        "AxQA/wEfAAEBAAAAAAAFEgAAAAAAGAD/AR8AAQIAAAAAAAUgAAAAIAIAAAALFAAAAAAQAQEAAAAAAAMAAAAAAAMYAKkAEgABAgAAAAAABSAA"
        "AAAhAgAAAAIYAAQAAAABAgAAAAAABSAAAAAhAgAAAAIYAAIAAAABAgAAAAAABSAAAAAhAgAA",
        216,
        0x8004,
    ),
    "BuildKit's files": Field(
        "O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1200a9;;;BU)",
        "AQAEgBQAAAAkAAAAAAAAADAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAAAgBMAAMAAAAAABgA/wEfAAECAAAAAAAFIAAAACACAAAA"
        "ABQA/wEfAAEBAAAAAAAFEgAAAAAAGACpABIAAQIAAAAAAAUgAAAAIQIAAA==",
        124,
        0x8004,
    ),
    # ko-build/ko pkg/build/gobuild.go, google/go-containerregistry internal/windows/windows.go, dotnet/sdk Layer.cs
    "owned by users": Field(
        "O:BUG:BU", "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAhAgAAAQIAAAAAAAUgAAAAIQIAAA==", 52, 0x8000
    ),
    # buildpacks/imgutil layer/windows_writer.go, for user and group 0
    "owned by administrators": Field(
        "O:BAG:BA", "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAgAgAAAQIAAAAAAAUgAAAAIAIAAA==", 52, 0x8000
    ),
}


class Choice(NamedTuple):
    """What a random descriptor may be made of: entry types of each list, their flags and least number; SIDs."""

    kinds: dict[str, dict[str, int]] = KINDS
    flags: int = 0xFF
    sids: tuple[str, ...] = tuple(SIDS.values())
    authority_bits: int = 48
    least: int = 0


ANY = Choice()


def random_descriptor(random: Random, choice: Choice = ANY) -> SecurityDescriptor:
    """Return a descriptor that SDDL can say."""
    control = Control.SELF_RELATIVE
    lists: dict[str, Acl | None] = {"D": None, "S": None}
    for name, present in (("D", Control.DACL_PRESENT), ("S", Control.SACL_PRESENT)):
        if random.random() < 0.7:
            lists[name] = _acl(random, list(choice.kinds[name].values()), choice)
            control |= present | sum(flag for flag in _LIST_FLAGS[name] if random.random() < 0.3)
    owner, group = (_sid(random, choice) if random.random() < 0.9 else None for _ in "OG")
    return SecurityDescriptor(owner, group, lists["D"], lists["S"], control)


def _acl(random: Random, kinds: list[int], choice: Choice) -> Acl:
    aces = tuple(
        _ace(random, random.choice(kinds), choice) for _ in range(max(choice.least, random.choice([0, 1, 1, 2, 5, 20])))
    )
    return Acl(aces, 4 if any(ace.kind in OBJECT for ace in aces) else 2)


def _ace(random: Random, kind: int, choice: Choice) -> Ace:
    first = second = None
    if kind in OBJECT:
        which = random.choice([1, 2, 3])
        first = UUID(int=random.getrandbits(128)) if which & 1 else None
        second = UUID(int=random.getrandbits(128)) if which & 2 else None
    mask = random.choice([*_MASKS, random.getrandbits(32), 1 << random.randrange(32)])
    return Ace(kind, random.getrandbits(8) & choice.flags, mask, _sid(random, choice), first, second)


def _sid(random: Random, choice: Choice) -> Sid:
    if random.random() < 0.6:
        first, *numbers = map(int, random.choice(choice.sids).split("-")[2:])
        return Sid(first, tuple(numbers))
    authority = random.choice([5, random.getrandbits(choice.authority_bits)])
    return Sid(authority, tuple(random.getrandbits(random.choice([4, 32])) for _ in range(random.randint(1, 15))))
