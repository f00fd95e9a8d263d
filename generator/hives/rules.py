# SPDX-License-Identifier: Apache-2.0
"""The rules of a sound hive, each with its source.

Sources named in RULES:
  regf       msuhanov/windows-registry-file-format-specification, by section
  cmlib      ReactOS sdk/lib/cmlib (cmcheck.c, cmname.c, cmindex.c, hiveinit.c, hivesum.c), a rebuild of Windows' loader
  limits     Microsoft, "Registry element size limits"
  MS-DTYP    Microsoft, "Windows data types": SID, ACL and SECURITY_DESCRIPTOR
  winscratch a rule of this project's own
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    """What a sound hive keeps to, and who says so."""

    text: str
    source: str


RULES: Final[dict[str, Rule]] = {
    # The file and its base block.
    "file-size": Rule("a hive is a base block and one bin or more: 8,192 bytes at least", "regf: base block, hive bin"),
    "base-signature": Rule("the file begins with 'regf'", "regf: base block"),
    "base-checksum": Rule("the checksum is the XOR of the 127 words before it, never 0 or -1", "cmlib hivesum.c"),
    "base-sequence": Rule("both sequence numbers are equal, or the last write did not end", "regf: dirty state"),
    "base-major": Rule("the major version is 1", "cmlib hiveinit.c"),
    "base-minor": Rule("the minor version is 3, 4, 5 or 6", "regf: base block"),
    "base-type": Rule("the file type is 0, a primary file", "regf: base block"),
    "base-format": Rule("the file format is 1, direct memory load", "regf: base block"),
    "base-cluster": Rule("the clustering factor is 1", "cmlib hiveinit.c"),
    "base-length": Rule("the bins' length is a multiple of 4,096, not 0 and 2 GiB at most", "regf: hive bin"),
    "base-reserved": Rule("bytes that no known writer uses are 0", "winscratch"),
    "file-length": Rule("the bins end where the file ends", "winscratch"),
    # Bins and cells.
    "bin-signature": Rule("a bin begins with 'hbin'", "regf: hive bin"),
    "bin-offset": Rule("a bin holds its own offset", "regf: hive bin"),
    "bin-size": Rule("a bin's size is a multiple of 4,096, not 0, and ends inside the hive", "regf: hive bin"),
    "bin-reserved": Rule("a bin's reserved bytes are 0", "regf: hive bin"),
    "cell-size": Rule("a cell's size is a multiple of 8, not 0, and ends inside its bin", "regf: cell"),
    "cell-shared": Rule("a cell has one owner, unless it is a security record", "winscratch"),
    "cell-leak": Rule("a cell in use has an owner", "winscratch"),
    "pointer-cell": Rule("a pointer leads to the start of a cell", "cmlib cmcheck.c"),
    "pointer-free": Rule("a pointer leads to a cell in use", "cmlib cmcheck.c"),
    "pointer-volatile": Rule("a pointer has bit 31 clear: nothing volatile is on disk", "regf: key node"),
    # Keys.
    "key-signature": Rule("a key begins with 'nk'", "regf: key node"),
    "key-size": Rule("a key and its name fit into their cell", "cmlib cmcheck.c"),
    "key-oversize": Rule("a key's cell holds 1,116 bytes at most", "cmlib cmcheck.c"),
    "key-flags": Rule("a key's flags are known ones that make sense on disk", "regf: key node flags"),
    "key-hive-entry": Rule("no key but the root is a hive entry", "regf: key node flags"),
    "root-flags": Rule("the root's flags are 0x2c: hive entry, no delete, compressed name", "regf: key node flags"),
    "key-parent": Rule("a key points to its parent", "cmlib cmcheck.c"),
    "key-name-length": Rule("a key's name has 1 to 255 characters", "limits; cmlib cmcheck.c"),
    "key-name-encoding": Rule("a key's name is Latin-1 if flagged compressed, else UTF-16LE", "regf: key node"),
    "key-name-backslash": Rule("a key's name has no backslash", "limits"),
    "key-depth": Rule("a tree is 512 levels deep at most, its root being the first", "limits; cmlib cmcheck.c"),
    "key-volatile-count": Rule("a key has no volatile subkeys on disk", "regf: key node"),
    "key-volatile-list": Rule("a key's volatile subkeys list is 0xffffffff", "winscratch"),
    "key-class": Rule(
        "a class name fits into its cell and is of even length, or its pointer is nil", "cmlib cmcheck.c"
    ),
    "key-symlink": Rule(
        "a link has no subkeys and the one value SymbolicLinkValue, a REG_LINK", "regf: key node flags"
    ),
    "key-max-name": Rule("the largest subkey name length is no less than any subkey's", "regf: key node"),
    "key-max-class": Rule("the largest subkey class name length is no less than any subkey's", "regf: key node"),
    "key-max-value-name": Rule("the largest value name length is no less than any value's", "regf: key node"),
    "key-max-value-data": Rule("the largest value data size is no less than any value's", "regf: key node"),
    # Subkeys lists.
    "list-nil": Rule("a list's pointer is 0xffffffff if its count is 0", "winscratch"),
    "list-signature": Rule("a subkeys list begins with 'lh', 'lf', 'li' or 'ri'", "cmlib cmcheck.c"),
    "list-version": Rule("an 'lh' list asks for minor version 5", "regf: hash leaf"),
    "list-size": Rule("a list fits into its cell", "cmlib cmcheck.c"),
    "list-empty": Rule("a subkeys list is not empty", "cmlib cmindex.c"),
    "list-nested": Rule("an 'ri' list points to leaves, not to another 'ri'", "regf: index root"),
    "subkey-count": Rule("a key's subkeys list is as long as its count says", "cmlib cmcheck.c"),
    "subkey-order": Rule("subkeys ascend by their names in upper case", "regf: index leaf, index root"),
    "subkey-duplicate": Rule("no two subkeys have the same name in upper case", "cmlib cmcheck.c"),
    "subkey-hash": Rule("an 'lh' entry holds the hash of its key's name in upper case", "regf: hash leaf"),
    "subkey-hint": Rule("an 'lf' entry holds the first four characters of its key's name", "regf: fast leaf"),
    # Values.
    "value-signature": Rule("a value begins with 'vk'", "regf: key value"),
    "value-size": Rule("a value and its name fit into their cell", "cmlib cmcheck.c"),
    "value-flags": Rule("a value has no flag but 1, compressed name", "regf: key value flags"),
    "value-name-length": Rule("a value's name has 16,383 characters at most", "limits"),
    "value-name-encoding": Rule("a value's name is Latin-1 if flagged compressed, else UTF-16LE", "regf: key value"),
    "value-duplicate": Rule("no two values of a key have the same name in upper case", "cmlib cmname.c"),
    "value-inline": Rule("data inside the value record is 4 bytes at most", "regf: key value data size"),
    "value-empty": Rule("data of 0 bytes is inside the value record, or its pointer is 0xffffffff", "cmlib cmcheck.c"),
    "value-data": Rule("a data cell holds all of the value's data", "regf: key value data size"),
    "big-signature": Rule("data above 16,344 bytes is in segments under a 'db' record", "regf: big data"),
    "big-count": Rule("a 'db' record has just the segments that its data needs", "regf: big data"),
    "big-segment": Rule("a data segment holds 16,344 bytes, the last one the rest", "regf: data segment"),
    # Security.
    "sk-signature": Rule("a security record begins with 'sk'", "regf: key security"),
    "sk-size": Rule("a security record and its descriptor fit into their cell", "regf: key security"),
    "sk-ring": Rule("security records form one ring, forward and backward", "regf: key security"),
    "sk-orphan": Rule("a security record has keys that use it", "winscratch"),
    "sk-count": Rule("a security record's reference count is the number of keys that use it", "regf: key security"),
    "sd-header": Rule("a descriptor has revision 1, is self-relative and has a header of 20 bytes", "MS-DTYP 2.4.6"),
    "sd-owner": Rule("a descriptor has an owner", "winscratch"),
    "sd-group": Rule("a descriptor has a group", "winscratch"),
    "sd-dacl": Rule("a descriptor has a DACL", "winscratch"),
    "sd-bounds": Rule("a descriptor's parts are inside it, behind its header, at multiples of 4", "MS-DTYP 2.4.6"),
    "sd-sid": Rule("a SID has revision 1, 15 sub-authorities at most, and ends inside its owner", "MS-DTYP 2.4.2"),
    "sd-acl": Rule("an ACL has revision 2 or 4 and its size holds its entries", "MS-DTYP 2.4.5"),
    "sd-ace": Rule("an ACE's size is a multiple of 4 and ends inside its ACL", "MS-DTYP 2.4.4"),
    # This reader's own bound.
    "read-limit": Rule("the paths of all keys fit into memory of the file's size and 4 MiB", "winscratch"),
}
