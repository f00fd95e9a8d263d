# SPDX-License-Identifier: Apache-2.0
"""Security descriptors beside two other implementations: Samba's, in C, and winacl's, in Python."""

import json
import re
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest
from helpers.counts import count
from helpers.descriptors import FIELD, Choice, random_descriptor
from helpers.support import lack, need_package

from generator.security import tables
from generator.security.descriptor import Ace, Acl, from_bytes, to_bytes
from generator.security.sddl import from_text, to_text

BY_SAMBA = Path(__file__).with_name("by_samba.py")
# What Samba 4.17, the oldest that is asked, has words for; nor does it read hexadecimal SIDs, or flags of an empty list
# before another. And what winacl has classes for.
SAMBA_KINDS = {"D": {"A": 0, "D": 1, "OA": 5, "OD": 6}, "S": {"AU": 2, "OU": 7}}
SAMBA_FLAGS = 0xFF & ~tables.FLAGS["CR"]
WINACL_KINDS = {"D": {"A": 0, "D": 1, "OA": 5, "OD": 6}, "S": {"AU": 2, "AL": 3, "OU": 7, "ML": 17}}


def winacl_descriptor() -> Any:
    """Return winacl's class of security descriptors."""
    return need_package("winacl.dtyp.security_descriptor").SECURITY_DESCRIPTOR


def with_numbers(text: str) -> str:
    """Return *text* without the sets of rights that Samba 4.17 reads wrongly (FA) or not at all (those of keys)."""
    return re.sub(r"(?<=;)(FA|K[ARWX])(?=;[^;]*;[^;]*;[^;]*\))", lambda found: hex(tables.SETS[found[1]]), text)


def samba(texts: list[str], descriptors: list[bytes]) -> tuple[list[str | None], list[str]]:
    python = Path("/usr/bin/python3")
    if (
        not python.exists()
        or subprocess.run([python, "-c", "import samba"], check=False, capture_output=True).returncode
    ):
        lack("python3-samba not found")
    asked = json.dumps({"texts": texts, "descriptors": [data.hex() for data in descriptors]})
    done = subprocess.run([python, BY_SAMBA], input=asked, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    return answer["texts"], answer["descriptors"]


def known_to_samba() -> dict[str, str]:
    """Return the aliases that the Samba here knows, with the descriptor of an owner of that name in hexadecimal."""
    theirs, _ = samba([f"O:{alias}" for alias in tables.SIDS], [])
    return {alias: other for alias, other in zip(tables.SIDS, theirs, strict=True) if other is not None}


def test_samba_makes_the_same_bytes_of_text_and_the_same_meaning_of_bytes() -> None:
    random, sids = Random(10), tuple(tables.SIDS[alias] for alias in known_to_samba())  # noqa: S311
    choice = Choice(SAMBA_KINDS, SAMBA_FLAGS, sids, authority_bits=32, least=1)
    texts = [to_text(random_descriptor(random, choice)) for _ in range(count(300, 2_000))]
    texts = [with_numbers(text) for text in (*texts, *(field.text for field in FIELD.values()))]
    ours = [to_bytes(from_text(text)) for text in texts]
    theirs, read = samba(texts, ours)
    for text, mine, other, again in zip(texts, ours, theirs, read, strict=True):
        assert other == mine.hex(), text
        assert to_bytes(from_text(again)) == mine, text


def test_samba_knows_aliases_as_the_same_sids() -> None:
    known = known_to_samba()
    assert known == {alias: to_bytes(from_text(f"O:{alias}")).hex() for alias in known}
    assert len(known) >= 30


@pytest.mark.parametrize("name", FIELD)
def test_winacl_writes_a_descriptor_of_the_field_as_it_read_ours(name: str) -> None:
    data = to_bytes(from_text(FIELD[name].text))
    assert winacl_descriptor().from_bytes(data).to_bytes() == data


def test_winacl_finds_in_random_descriptors_what_was_put_in() -> None:
    random, descriptors = Random(11), winacl_descriptor()  # noqa: S311
    for _ in range(count(300, 2_000)):
        descriptor = random_descriptor(random, Choice(WINACL_KINDS))
        found = descriptors.from_bytes(to_bytes(descriptor))
        assert int(found.Control) == descriptor.control
        for theirs, ours in ((found.Owner, descriptor.owner), (found.Group, descriptor.group)):
            assert (theirs and str(theirs).lower()) == (ours and str(ours).lower())
        assert entries_of_winacl(found.Dacl) == entries(descriptor.dacl)
        assert entries_of_winacl(found.Sacl) == entries(descriptor.sacl)


def entries(acl: Acl | None) -> list[tuple[object, ...]]:
    return [
        (ace.kind, ace.flags, ace.mask, str(ace.sid).lower(), str(ace.object_type), str(ace.inherited_type))
        for ace in (acl.aces if acl else ())
        if isinstance(ace, Ace)
    ]


def entries_of_winacl(acl: object) -> list[tuple[object, ...]]:
    return [
        (
            ace.AceType.value,
            int(ace.AceFlags),
            int(ace.Mask),
            str(ace.Sid).lower(),
            str(getattr(ace, "ObjectType", None)),
            str(getattr(ace, "InheritedObjectType", None)),
        )
        for ace in getattr(acl, "aces", ())
    ]


def test_samba_decodes_descriptors_in_windows_order_alike() -> None:
    """Windows' registry stores the lists before owner and group; the meaning is the same."""
    plain = from_text(FIELD["BuildKit's files"].text)
    data = bytearray(to_bytes(plain))
    owner_and_group, acl = data[20:48], data[48:]
    data[4:20] = b"".join(number.to_bytes(4, "little") for number in (20 + len(acl), 36 + len(acl), 0, 20))
    moved = bytes(data[:20] + acl + owner_and_group)
    _, (text,) = samba([], [moved])
    assert from_text(text) == from_bytes(moved) == plain
    assert to_bytes(from_bytes(moved)) == moved
