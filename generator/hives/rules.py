# SPDX-License-Identifier: Apache-2.0
"""The rules for hives, each with its source and the level of a hive that breaks it.

SOURCES explains the short names of sources.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..base.errors import GeneratorError


class Level(StrEnum):
    """The consequence for a hive or an image that breaks a rule."""

    REFUSED = "refused"  # Windows or a client refuses, repairs or misreads it
    DIRTY = "dirty"  # the hive is valid with its transaction log, which Windows applies first
    UNUSUAL = "unusual"  # Windows accepts it by all known sources, but probably not as intended


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule for hives or images: its text, the level if it is broken, and its source."""

    text: str
    level: Level
    source: str


@dataclass(frozen=True, slots=True)
class HiveFinding:
    """A broken rule: *offset* in bytes from the start of the file, *rule* a name in RULES, *found* the value there.

    *allowed* is the valid value for this place; if it is empty, the message has the rule's text.
    """

    offset: int
    rule: str
    found: str
    allowed: str = ""

    @property
    def level(self) -> Level:
        """The level of the broken rule."""
        return RULES[self.rule].level

    @property
    def message(self) -> str:
        """One line: the offset, the value found, the allowed value, the rule and its source."""
        rule = RULES[self.rule]
        allowed = self.allowed or rule.text
        return f"offset 0x{self.offset:x}: found: {self.found}; allowed: {allowed} ({self.rule}; {rule.source})"


class HiveError(GeneratorError):
    """A hive breaks a rule; *offset* is in bytes from the start of the file, *rule* a name in RULES."""

    def __init__(self, finding: HiveFinding) -> None:
        super().__init__(finding.message)
        self.offset = finding.offset
        self.rule = finding.rule


SOURCES: Final = {
    "regf": "[msuhanov/windows-registry-file-format-specification]"
    "(https://github.com/msuhanov/windows-registry-file-format-specification), by section",
    "cmlib": "ReactOS [sdk/lib/cmlib](https://github.com/reactos/reactos/tree/master/sdk/lib/cmlib), a rebuild of "
    "Windows' loader: cmcheck.c, cmname.c, cmindex.c, hiveinit.c, hivesum.c",
    "p0tools": "googleprojectzero/p0tools [WinRegLowSeverityBugs](https://github.com/googleprojectzero/p0tools), "
    "reports on what Windows 11's loader does, by number",
    "offreg": "Microsoft's offline registry library, offreg.dll 6.2.9200.16384, run on damaged hives: it refuses them, "
    "or does not list the parts that break the rule",
    "limits": 'Microsoft, "Registry element size limits"',
    "winnt": 'Microsoft, "Registry value types"',
    "MS-DTYP": 'Microsoft, "Windows data types": SID, ACL and SECURITY_DESCRIPTOR',
    "winscratch": "a rule of this project",
}


def _refused(text: str, source: str) -> Rule:
    return Rule(text, Level.REFUSED, source)


def _unusual(text: str, source: str = "winscratch") -> Rule:
    return Rule(text, Level.UNUSUAL, source)


RULES: Final[dict[str, Rule]] = {
    # The file and its base block.
    "file-size": _refused(
        "a hive has a base block and at least one bin: 8,192 bytes or more", "regf: base block, hive bin"
    ),
    "file-length": _refused("the file holds all bins", "cmlib hiveinit.c"),
    "file-rest": _unusual("the file ends where the bins end"),
    "base-signature": _refused("the file begins with 'regf'", "cmlib hiveinit.c"),
    "base-checksum": _refused("the checksum is the XOR of the 127 words before it, never 0 or -1", "cmlib hiveinit.c"),
    "base-sequence": Rule(
        "both sequence numbers are equal; else the last write did not finish", Level.DIRTY, "regf: dirty state"
    ),
    "base-major": _refused("the major version is 1", "cmlib hiveinit.c"),
    "base-minor": _refused("the minor version is 3, 4, 5 or 6", "cmlib hiveinit.c; regf: base block"),
    "base-type": _refused("the file type is 0, a primary file", "cmlib hiveinit.c"),
    "base-format": _refused("the file format is 1, direct memory load", "cmlib hiveinit.c"),
    "base-length": _refused("the bins' length is a multiple of 4,096, not 0 and at most 2 GiB", "regf: hive bin"),
    "base-cluster": _unusual("the clustering factor is 1, for disks with sectors of 512 bytes", "regf: base block"),
    "base-flags": _unusual("the flags are 0: no transaction is pending and no key is layered", "regf: base block"),
    "base-boot": _unusual("boot type and boot recover are 0 on disk", "regf: base block"),
    "base-reserved": _unusual("bytes that no known writer uses are 0"),
    # Bins and cells.
    "bin-signature": _refused("a bin begins with 'hbin'", "cmlib hiveinit.c"),
    "bin-offset": _refused("a bin holds its own offset", "cmlib hiveinit.c"),
    "bin-size": _refused("a bin's size is a multiple of 4,096, not 0, and ends inside the hive", "cmlib hiveinit.c"),
    "bin-reserved": _unusual("a bin's reserved bytes are 0", "regf: hive bin"),
    "cell-size": _refused(
        "a cell's size is a multiple of 8, not 0, and ends inside its bin", "cmlib cmcheck.c; p0tools 18"
    ),
    "cell-shared": _unusual("a cell has one owner, unless it is a security record"),
    "cell-kind": _refused("a cell holds a list or records of only one kind", "offreg"),
    "cell-leak": _unusual("a cell in use has an owner"),
    "pointer-cell": _refused("a pointer leads to the start of a cell", "cmlib cmcheck.c"),
    "pointer-free": _refused("a pointer leads to a cell in use", "cmlib cmcheck.c"),
    "pointer-volatile": _refused("a pointer has bit 31 clear: nothing volatile is on disk", "cmlib cmcheck.c"),
    # Keys.
    "key-signature": _refused("a key begins with 'nk'", "cmlib cmcheck.c"),
    "key-size": _refused("a key and its name fit into their cell", "cmlib cmcheck.c"),
    "key-oversize": _refused("a key's cell holds at most 1,116 bytes", "cmlib cmcheck.c"),
    "key-shared": _refused("a key and a subkeys list have one parent", "cmlib cmcheck.c"),
    "key-flags": _unusual("a key's flags are known ones that make sense on disk", "regf: key node flags"),
    "key-hive-entry": _unusual("only the root is a hive entry", "regf: key node flags"),
    "key-layer": _unusual("a key has none of the bits of layered keys", "regf: layered keys"),
    "key-predefined": _refused("a key does not have flag 0x40, predefined handle", "offreg"),
    "root-flags": _unusual(
        "the root's flags are 0x2c (hive entry, no delete, compressed name), or 0x20 as offreg writes them",
        "regf: key node flags; offreg",
    ),
    "root-symlink": _refused("the root is not a symbolic link", "offreg"),
    "key-parent": _refused("a key points to its parent", "cmlib cmcheck.c"),
    "key-name-empty": _refused("a key has a name", "cmlib cmcheck.c"),
    "key-name-length": _unusual("a key's name has at most 255 characters", "limits"),
    "key-name-encoding": _refused(
        "a key's name is Latin-1 if flagged compressed, else of an even number of bytes", "regf: key node; offreg"
    ),
    "key-name-surrogate": _unusual("a key's name has no unpaired surrogate", "regf: key node"),
    "key-name-nul": _unusual("a key's name has no NUL, which ends it in Windows' API", "offreg"),
    "key-name-backslash": _refused("a key's name has no backslash", "limits; offreg"),
    "key-depth": _refused("a tree has at most 512 levels, the root included", "limits; cmlib cmcheck.c"),
    "key-volatile-count": _unusual("a key has no volatile subkeys on disk", "regf: key node"),
    "key-volatile-list": _unusual("a key's volatile subkeys list is 0xffffffff"),
    "key-class": _unusual("a class name has an even length; its pointer is nil if the length is 0", "regf: key node"),
    "key-class-size": _refused("a class name fits into its cell", "regf: key node"),
    "key-symlink": _refused(
        "a link's only value is SymbolicLinkValue, a REG_LINK of 6 to 65,534 bytes, an even number",
        "p0tools 2; offreg",
    ),
    "key-symlink-target": _unusual("a link has no subkeys and one value", "regf: key node flags"),
    "key-max-name": _unusual("the largest subkey name length is at least that of each subkey", "regf: key node"),
    "key-max-class": _unusual("the largest subkey class name length is at least that of each subkey", "regf: key node"),
    "key-max-value-name": _unusual("the largest value name length is at least that of each value", "regf: key node"),
    "key-max-value-data": _unusual("the largest value data size is at least that of each value", "regf: key node"),
    # Subkeys lists.
    "list-nil": _unusual("a list's pointer is 0xffffffff if its count is 0"),
    "list-signature": _refused("a subkeys list begins with 'lh', 'lf', 'li' or 'ri'", "cmlib cmcheck.c"),
    "list-version": _unusual("an 'lh' list requires minor version 5", "regf: hash leaf"),
    "list-size": _refused("a list fits into its cell", "cmlib cmcheck.c"),
    "list-empty": _refused("a subkeys list is not empty", "cmlib cmindex.c; offreg"),
    "list-nested": _refused("an 'ri' list points to leaves, not to another 'ri'", "cmlib cmcheck.c"),
    "subkey-count": _refused("a key's subkeys list has as many entries as its count", "cmlib cmcheck.c"),
    "subkey-order": _refused("subkeys ascend by their names in upper case", "cmlib cmcheck.c"),
    "subkey-duplicate": _refused("no two subkeys have the same name in upper case", "cmlib cmcheck.c"),
    "subkey-hash": _refused(
        "an 'lh' entry holds the hash of its key's name in upper case", "regf: hash leaf; cmlib cmindex.c"
    ),
    "subkey-hint": _unusual("an 'lf' entry holds the first four characters of its key's name", "regf: fast leaf"),
    # Values.
    "value-signature": _refused("a value begins with 'vk'", "cmlib cmcheck.c"),
    "value-size": _refused("a value and its name fit into their cell", "cmlib cmcheck.c"),
    "value-flags": _unusual("a value's only flag is 1, compressed name", "regf: key value flags"),
    "value-name-length": _unusual("a value's name has at most 16,383 characters", "limits"),
    "value-name-encoding": _unusual(
        "a value's name is Latin-1 if flagged compressed, else of an even number of bytes", "regf: key value"
    ),
    "value-name-surrogate": _unusual("a value's name has no unpaired surrogate", "regf: key value"),
    "value-duplicate": _unusual("no two values of a key have the same name in upper case", "cmlib cmname.c"),
    "value-type": _unusual("a number has the size of its type: REG_DWORD 4 bytes, REG_QWORD 8", "winnt"),
    "value-inline": _refused("data inside the value record has at most 4 bytes", "regf: key value data size"),
    "value-empty": _refused("data of 0 bytes is in the value record, or its pointer is 0xffffffff", "cmlib cmcheck.c"),
    "value-data": _refused("a data cell holds all of the value's data", "regf: key value data size"),
    "big-signature": _refused("data above 16,344 bytes is in segments under a 'db' record", "regf: big data"),
    "big-count": _refused("a 'db' record has exactly the segments that its data needs", "regf: big data; p0tools 16"),
    "big-segment": _refused(
        "the cell of a data segment holds 16,344 bytes, even if the last one needs less", "regf: data segment; offreg"
    ),
    # Security.
    "sk-signature": _refused("a security record begins with 'sk'", "regf: key security; p0tools 10"),
    "sk-size": _refused("a security record and its descriptor fit into their cell", "regf: key security"),
    "sk-ring": _refused("security records form one ring, forward and backward", "regf: key security"),
    "sk-orphan": _unusual("a security record has keys that use it", "p0tools 10"),
    "sk-count": _unusual(
        "a security record's reference count is the number of keys that use it", "regf: key security; p0tools 10"
    ),
    "sd-header": _refused(
        "a descriptor has revision 1, is self-relative and has a header of 20 bytes", "MS-DTYP 2.4.6; p0tools 1"
    ),
    "sd-owner": _unusual("a descriptor has an owner"),
    "sd-group": _unusual("a descriptor has a group"),
    "sd-dacl": _unusual("a descriptor has a DACL if its flags announce one"),
    "sd-bounds": _refused(
        "a descriptor's parts are inside it, behind its header, at multiples of 4", "MS-DTYP 2.4.6; p0tools 1"
    ),
    "sd-sid": _refused(
        "a SID has revision 1, at most 15 sub-authorities, and ends inside its owner", "MS-DTYP 2.4.2; p0tools 1"
    ),
    "sd-acl": _refused("an ACL has revision 2 or 4 and its size holds its entries", "MS-DTYP 2.4.5; p0tools 1"),
    "sd-ace": _refused("an ACE's size is a multiple of 4 and ends inside its ACL", "MS-DTYP 2.4.4; p0tools 1"),
}

LIVE: Final = {
    "file-rest": "",
    "key-volatile-count": "counts of volatile subkeys in",
    "key-volatile-list": "lists of volatile subkeys in",
}
"""Rules, each with words for a number of keys, that hives of a running Windows break: it grows files ahead of
their bins, and keeps volatile keys in memory.

Source: regf, "hive bin" and "key node"; hives that Windows wrote, such as those of yarp's and regipy's tests.
"""
