# SPDX-License-Identifier: Apache-2.0
"""Security descriptors as bytes: the round trip is exact, and invalid descriptors are refused."""

import base64
import struct
from random import Random
from uuid import UUID

import pytest
from helpers.counts import count
from helpers.descriptors import FIELD, random_descriptor

from generator.hivebuilder import emptyhive
from generator.security.descriptor import (
    Ace,
    Acl,
    Control,
    DescriptorError,
    OpaqueAce,
    SecurityDescriptor,
    Sid,
    from_bytes,
    read,
    to_bytes,
)
from generator.security.sddl import from_text, to_text

USERS = Sid(5, (32, 545))
GUID = UUID("ab721a53-1e2f-11d0-9819-00aa0040529b")
LISTED = Control.SELF_RELATIVE | Control.DACL_PRESENT
DESCRIPTORS = count(1_000, 10_000)
SOUND = base64.b64decode(FIELD["BuildKit's files"].base64)  # owner at 20, group at 36, DACL at 48, ACEs at 56, 80, 100


@pytest.mark.parametrize("name", FIELD)
def test_a_descriptor_of_the_field_comes_out_of_its_text_byte_for_byte(name: str) -> None:
    text, record, size, control = FIELD[name]
    data = to_bytes(from_text(text))
    assert base64.b64encode(data).decode() == record
    assert (len(data), int.from_bytes(data[2:4], "little")) == (size, control)
    assert to_text(from_bytes(data)) == text


def test_random_descriptors_survive_bytes_and_text() -> None:
    random = Random(1)  # noqa: S311
    for _ in range(DESCRIPTORS):
        descriptor = random_descriptor(random)
        data, text = to_bytes(descriptor), to_text(descriptor)
        assert from_bytes(data) == from_text(text) == descriptor
        assert to_bytes(from_text(text)) == data


def test_damaged_bytes_are_refused_with_a_position_or_survive() -> None:
    random = Random(2)  # noqa: S311
    refused = taken = 0
    for _ in range(DESCRIPTORS):
        data = bytearray(to_bytes(random_descriptor(random)))
        for _ in range(random.randint(1, 4)):
            data[random.randrange(len(data))] = random.choice([0, 1, 4, 8, 20, 255, random.randrange(256)])
        if random.random() < 0.2:
            del data[random.randrange(len(data)) :]
        try:
            again = to_bytes(from_bytes(bytes(data)))
        except DescriptorError as error:
            refused += 0 <= error.position <= len(data)
        else:
            taken += again == data
    assert refused + taken == DESCRIPTORS
    assert min(refused, taken) > DESCRIPTORS // 10


@pytest.mark.parametrize(
    "ace",
    [
        Ace(9, 0, 0x1F01FF, USERS, data=b"artx\0\0\0\0"),  # conditional
        Ace(18, 2, 0, USERS, data=bytes(range(24))),  # resource attribute
        Ace(5, 0, 0x100, USERS, object_type=GUID),
        Ace(6, 2, 0x100, USERS, inherited_type=GUID),
        Ace(15, 64, 0x100, USERS, GUID, GUID, b"artx"),  # conditional, for objects
        OpaqueAce(4, 0, bytes(32)),  # compound, which nothing writes any more
        OpaqueAce(99, 255, b""),
        OpaqueAce(
            5, 0, struct.pack("<II", 1, 1 << 31) + to_bytes(SecurityDescriptor(owner=USERS))[20:]
        ),  # unknown flag
    ],
    ids=repr,
)
def test_an_entry_without_a_form_in_sddl_is_kept_as_it_is(ace: Ace | OpaqueAce) -> None:
    descriptor = SecurityDescriptor(dacl=Acl((ace,), revision=4), control=LISTED)
    again = from_bytes(to_bytes(descriptor))
    assert again == descriptor
    assert again.dacl is not None
    assert type(again.dacl.aces[0]) is type(ace)


def test_a_descriptor_as_windows_registry_stores_it_comes_back_in_that_order() -> None:
    """Lists first, with unused room behind the entries, then owner and group."""
    plain = from_text("O:BAG:SYD:AI(A;CI;KA;;;BA)S:(AU;SA;KA;;;WD)")
    assert plain.dacl is not None
    roomy = Acl(plain.dacl.aces, slack=bytes(12))
    stored = to_bytes(SecurityDescriptor(plain.owner, plain.group, roomy, plain.sacl, plain.control, order="SDOG"))
    owner, group, sacl, dacl = struct.unpack_from("<4I", stored, 4)
    assert 20 == sacl < dacl < owner < group
    again = from_bytes(stored)
    assert to_bytes(again) == stored
    assert to_text(again) == to_text(plain)


def test_equal_descriptors_say_the_same_in_whatever_order_they_are_stored() -> None:
    one, other = from_text("O:BAG:SYD:"), from_text("O:BAG:SYD:P")
    assert one == SecurityDescriptor(one.owner, one.group, one.dacl, None, one.control, order="DOGS") != other


def test_the_descriptor_of_the_hives_built_here_is_read_and_says_what_is_meant() -> None:
    hive = emptyhive.empty_hive()
    at = hive.index(b"sk", 0x1020)
    data = hive[at + 20 : at + 20 + int.from_bytes(hive[at + 16 : at + 20], "little")]
    assert to_text(from_bytes(data)) == "O:BAG:SYD:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)(A;CI;KR;;;BU)"
    assert to_bytes(from_bytes(data)) == data


@pytest.mark.parametrize(
    ("at", "value", "position", "message"),
    [
        (0, b"\2", 0, "the descriptor has revision 2 and control flags 0x8004"),
        (3, b"\0", 0, "the descriptor has revision 1 and control flags 0x0004"),
        (4, b"\x16", 4, "a part is at 22 in a descriptor of 124 bytes"),
        (4, b"\x10", 4, "a part is at 16 in a descriptor of 124 bytes"),
        (16, b"\x78", 16, "a part is at 120 in a descriptor of 124 bytes"),
        (20, b"\0", 20, "a SID has revision 0, 2 sub-authorities and room for 104 bytes"),
        (37, b"\x10", 36, "a SID has revision 1, 16 sub-authorities and room for 88 bytes"),
        (48, b"\3", 48, "an ACL has revision 3, size 76 and room for 76 bytes"),
        (50, b"\x50", 48, "an ACL has revision 2, size 80 and room for 76 bytes"),
        (52, b"\4", 124, "an ACE has size 0 and room for 0 bytes"),
        (58, b"\x16", 56, "an ACE has size 22 and room for 68 bytes"),
        (58, b"\x0c", 64, "a SID has revision 0, 0 sub-authorities and room for 4 bytes"),
        (4, b"\x24", 4, "the descriptor has parts that overlap, or bytes that no part accounts for"),
        (49, b"\1", 49, "the descriptor has parts that overlap, or bytes that no part accounts for"),
    ],
)
def test_a_fault_has_its_position(at: int, value: bytes, position: int, message: str) -> None:
    with pytest.raises(DescriptorError) as caught:
        from_bytes(SOUND[:at] + value + SOUND[at + 1 :])
    assert (caught.value.position, str(caught.value)) == (position, message)


@pytest.mark.parametrize("size", range(len(SOUND)))
def test_a_descriptor_cut_short_is_refused(size: int) -> None:
    with pytest.raises(DescriptorError):
        from_bytes(SOUND[:size])


def test_reading_continues_after_a_fault() -> None:
    damaged = bytearray(SOUND)
    damaged[4] = 0  # no owner
    damaged[36] = 7  # the group's revision
    damaged[80 + 8] = 9  # the second entry's SID's
    found: list[tuple[int, str]] = []
    read(bytes(damaged), lambda at, rule, _: found.append((at, rule)))
    assert found == [(4, "sd-owner"), (36, "sd-sid"), (88, "sd-sid")]
    found.clear()
    read(SOUND, lambda at, rule, _: found.append((at, rule)))
    assert found == []


def test_rules_of_hives_alone_are_checked_by_read_alone() -> None:
    data = to_bytes(SecurityDescriptor())
    found: list[str] = []
    read(data, lambda _at, rule, _message: found.append(rule))
    assert found == ["sd-owner", "sd-group"]
    announced = to_bytes(SecurityDescriptor(control=Control.SELF_RELATIVE | Control.DACL_PRESENT))
    read(announced, lambda _at, rule, _message: found.append(rule))
    assert found[2:] == ["sd-owner", "sd-group", "sd-dacl"]
    assert from_bytes(data) == SecurityDescriptor()


@pytest.mark.parametrize(
    "descriptor",
    [
        SecurityDescriptor(owner=Sid(1 << 48, (1,))),
        SecurityDescriptor(owner=Sid(5, (1 << 32,))),
        SecurityDescriptor(owner=Sid(5, tuple(range(16)))),
        SecurityDescriptor(control=Control(0)),  # not self-relative
        SecurityDescriptor(dacl=Acl(())),  # a list that the flags do not announce
        SecurityDescriptor(owner=USERS, order="GSD"),
        SecurityDescriptor(dacl=Acl((), revision=3), control=LISTED),
        SecurityDescriptor(dacl=Acl((), slack=b"odd"), control=LISTED),
        SecurityDescriptor(dacl=Acl((Ace(0, 0, 1 << 32, USERS),)), control=LISTED),
        SecurityDescriptor(dacl=Acl((Ace(0, 0, 0, USERS, object_type=GUID),)), control=LISTED),  # not an object entry
        SecurityDescriptor(dacl=Acl((Ace(0, 0, 0, USERS),) * 3000), control=LISTED),  # above 65,535 bytes
    ],
    ids=lambda descriptor: repr(descriptor)[:80],
)
def test_records_that_cannot_be_a_descriptor_are_refused(descriptor: SecurityDescriptor) -> None:
    with pytest.raises(DescriptorError):
        to_bytes(descriptor)
