# SPDX-License-Identifier: Apache-2.0
"""SDDL, the text form of security descriptors, as Windows reads and writes it."""

import pytest

from generator.security import tables
from generator.security.descriptor import Ace, Acl, Control, OpaqueAce, SecurityDescriptor, Sid, from_bytes, to_bytes
from generator.security.sddl import SddlError, from_text, to_text

# What Windows' ConvertSecurityDescriptorToStringSecurityDescriptor writes, from Wine's tests of it and [MS-DTYP].
WINDOWS = [
    "O:SYG:S-1-5-21-93476-23408-4576D:(A;NP;GAGXGWGR;;;SU)(A;IOID;CCDC;;;SU)"
    "(D;OICI;0xffffffff;;;S-1-5-21-93476-23408-4576)S:(AU;OICINPIOIDSAFA;CCDCLCSWRPRC;;;SU)(AU;NPSA;0x12019f;;;SU)",
    "O:BAG:SYD:PAI(A;CI;KA;;;BA)(A;CI;KR;;;BU)",
    "D:PARAI",
    "D:",
    "D:NO_ACCESS_CONTROL",
    "D:(OA;;CR;ab721a53-1e2f-11d0-9819-00aa0040529b;;PS)(OD;CI;RPWP;;bf967aba-0de6-11d0-a285-00aa003049e2;WD)",
    "S:AI(ML;;NWNR;;;HI)(TL;;FX;;;S-1-19-512-4096)",
    "O:S-1-0x010000000000-1",
    "",
]


@pytest.mark.parametrize("text", WINDOWS)
def test_what_windows_writes_is_read_and_written_alike(text: str) -> None:
    assert to_text(from_bytes(to_bytes(from_text(text)))) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("O:S-1-5-32-544", "O:BA"),
        ("O:S-1-05-032-0000000544", "O:BA"),
        ("O:S-1-0x5-32-545", "O:BU"),
        ("G:SYO:BA", "O:BAG:SY"),
        ("S:D:O:BA", "O:BAD:S:"),
        ("D:AIP", "D:PAI"),
        ("D:(A;CIOI;GRGA;;;WD)", "D:(A;OICI;GAGR;;;WD)"),
        ("D:(A;;0x1f01ff;;;WD)", "D:(A;;FA;;;WD)"),
        ("D:(A;;0X1F01FF;;;WD)", "D:(A;;FA;;;WD)"),
        ("D:(A;;2032127;;;WD)", "D:(A;;FA;;;WD)"),
        ("D:(A;;07600777;;;WD)", "D:(A;;FA;;;WD)"),
        ("D:(A;;0000000000000000000000000000017;;;WD)", "D:(A;;CCDCLCSW;;;WD)"),
        ("D:(A;;FRFX;;;WD)", "D:(A;;0x1200a9;;;WD)"),
        ("D:(A;;KX;;;WD)", "D:(A;;KR;;;WD)"),
        ("D:(A;;0;;;WD)", "D:(A;;;;;WD)"),
        ("D:(OA;;CR;;;WD)", "D:(A;;CR;;;WD)"),
        ("D:(OA;;CR;AB721A53-1E2F-11D0-9819-00AA0040529B;;WD)", "D:(OA;;CR;ab721a53-1e2f-11d0-9819-00aa0040529b;;WD)"),
        ("S:(ML;;0x5;;;LW)", "S:(ML;;NWNX;;;LW)"),
        ("S:(ML;;0x9;;;LW)", "S:(ML;;0x9;;;LW)"),
    ],
)
def test_other_spellings_are_read_and_written_as_windows_writes(text: str, written: str) -> None:
    assert to_text(from_text(text)) == written


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("X:BA", 0, "O:, G:, D: or S: must stand here, not 'X:BA'"),
        ("O:BA G:SY", 4, "O:, G:, D: or S: must stand here, not ' G:SY'"),
        ("O:BAO:SY", 4, "a second O:"),
        ("D:S:D:", 4, "a second D:"),
        ("O:", 2, "an alias such as BA, or a SID such as S-1-5-32-544, must stand here, not nothing"),
        ("O:XY", 2, "unknown alias XY"),
        ("O:ba", 2, "an alias such as BA, or a SID such as S-1-5-32-544, must stand here, not 'ba'"),
        ("O:BAG:DA", 6, "DA is another SID on every machine or domain; give it as S-1-5-21-…"),
        ("O:S-2-5-32", 2, "an alias such as BA, or a SID such as S-1-5-32-544, must stand here, not 'S-2-5-32'"),
        ("O:S-1-5-32-4294967296", 11, "'4294967296' does not fit into 32 bits"),
        ("O:S-1-4294967296-1", 6, "'4294967296' does not fit into 32 bits"),
        ("O:S-1-0x1000000000000-1", 6, "'0x1000000000000' does not fit into 48 bits"),
        ("O:S-1-5-" + "9" * 5000, 8, "'9999999999999999999…' does not fit into 32 bits"),
        ("O:S-1-5" + "-1" * 16, 2, "a SID has 15 sub-authorities at most, not 16"),
        ("O:S-1-5-32-", 10, "O:, G:, D: or S: must stand here, not '-'"),
        ("D:PX", 3, "O:, G:, D: or S: must stand here, not 'X'"),
        ("D:NO_ACCESS_CONTROL(A;;FA;;;BA)", 19, "NO_ACCESS_CONTROL leaves no room for entries"),
        ("D:(A;;FA;;;BA", 2, "this parenthesis is not closed"),
        ("D:(a;;FA;;;BA)", 3, "a type such as A and a semicolon must stand here"),
        ("D:(AU;;FA;;;BA)", 3, "unknown type 'AU' of entries in D:; it has A, D, OA, OD"),
        ("S:(A;;FA;;;BA)", 3, "unknown type 'A' of entries in S:; it has AU, AL, OU, OL, ML, SP, TL"),
        ("D:(XA;;FA;;;BA;(a==1))", 3, "XA entries, which carry a condition or claims, cannot be given as text"),
        ("D:(A;;FA;;BA)", 2, "an entry has 6 fields with 5 semicolons between them, not 5"),
        ("D:(A;;FA;;;BA)(A;;FA;;;BA;)", 14, "an entry has 6 fields with 5 semicolons between them, not 7"),
        ("D:(A;OIXX;FA;;;BA)", 7, "unknown flag 'XX'"),
        ("D:(A;OIC;FA;;;BA)", 7, "unknown flag 'C'"),
        ("D:(A;;FAXX;;;BA)", 8, "unknown right 'XX'"),
        ("D:(A;;ROB;;;BA)", 6, "unknown right 'RO'"),
        ("S:(ML;;FA;;;LW)", 7, "unknown right 'FA'"),
        ("D:(A;;08;;;BA)", 6, "invalid number '08': 0x starts hexadecimal digits, 0 octal ones"),
        ("D:(A;;0x;;;BA)", 6, "invalid number '0x': 0x starts hexadecimal digits, 0 octal ones"),
        (
            "D:(A;;0x1FA;;;BA)(A;;0x1FG;;;BA)",
            21,
            "invalid number '0x1FG': 0x starts hexadecimal digits, 0 octal ones",
        ),
        ("D:(A;;0x100000000;;;BA)", 6, "'0x100000000' does not fit into 32 bits"),
        ("D:(A;;4294967296;;;BA)", 6, "'4294967296' does not fit into 32 bits"),
        ("D:(A;;-1;;;BA)", 6, "unknown right '-1'"),
        ("D:(OA;;CR;ab;;BA)", 10, "invalid GUID 'ab'; use the form 00299570-246d-11d0-a768-00aa006e0529"),
        ("D:(A;;CR;;ab721a53-1e2f-11d0-9819-00aa0040529b;BA)", 10, "only object entries have a GUID, not A"),
        ("D:(A;;FA;;;BAX)", 13, "a closing parenthesis must stand here, not 'X'"),
        ("D:" + "(A;;FA;;;BA)" * 3000, 2 + 12 * 2730, "with this entry the list has 65,552 bytes of 65,535 at most"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_makes_no_sense_is_refused_at_its_character(text: str, position: int, message: str) -> None:
    with pytest.raises(SddlError) as caught:
        from_text(text)
    assert (str(caught.value), caught.value.position) == (message, position)


def test_a_list_of_as_many_entries_as_fit_is_taken() -> None:
    dacl = from_text("D:" + "(A;;FA;;;BA)" * 2730).dacl
    assert dacl is not None
    assert len(dacl.aces) == 2730


def test_sddl_words_are_unique() -> None:
    assert not tables.OF_A_DOMAIN & set(tables.SIDS)
    assert len(set(tables.SIDS.values())) == len(tables.SIDS)
    kinds = {**tables.KINDS["D"], **tables.KINDS["S"], **tables.EXTENDED}
    assert len(kinds) == len(set(kinds.values())) == sum(map(len, (*tables.KINDS.values(), tables.EXTENDED)))
    assert not tables.BITS.keys() & tables.SETS.keys()
    assert sum(tables.FLAGS.values()) == 0xFF


@pytest.mark.parametrize(
    ("descriptor", "message"),
    [
        (SecurityDescriptor(owner=Sid(5, ())), "the SID S-1-5 has no sub-authority, and SDDL no form for that"),
        *(
            (
                SecurityDescriptor(dacl=Acl((ace,)), control=Control.SELF_RELATIVE | Control.DACL_PRESENT),
                f"D: has an entry of type {ace.kind} that SDDL's plain entries have no form for",
            )
            for ace in (
                OpaqueAce(4, 0, b""),
                Ace(2, 0, 0, Sid(5, (18,))),
                Ace(9, 0, 0, Sid(5, (18,)), data=b"artx"),
                Ace(0, 0, 0, Sid(5, (18,)), data=bytes(4)),
            )
        ),
    ],
)
def test_what_sddl_cannot_say_is_refused(descriptor: SecurityDescriptor, message: str) -> None:
    with pytest.raises(ValueError, match="SDDL") as caught:
        to_text(descriptor)
    assert str(caught.value) == message


def test_what_is_no_access_rule_is_left_out_as_windows_leaves_it_out() -> None:
    plain = from_text("O:BAG:SYD:(A;;FA;;;BA)")
    defaulted = plain.control | Control.OWNER_DEFAULTED | Control.DACL_DEFAULTED | Control.RM_CONTROL_VALID
    assert to_text(SecurityDescriptor(plain.owner, plain.group, plain.dacl, None, defaulted, 3)) == to_text(plain)
