# SPDX-License-Identifier: Apache-2.0
"""The words of SDDL, the text form of security descriptors, and the numbers they stand for.

Sources: Microsoft, "ACE strings" and "SID strings", sddl.h, and [MS-DTYP] 2.4.2.4 and 2.5.1.1.
"""

from typing import Final

# Users and groups with the same SID on every machine.
SIDS: Final = {
    "AA": "S-1-5-32-579",  # access control assistance operators
    "AC": "S-1-15-2-1",  # all application packages
    "AN": "S-1-5-7",  # anonymous
    "AO": "S-1-5-32-548",  # account operators
    "AS": "S-1-18-1",  # identity asserted by the authentication authority
    "AU": "S-1-5-11",  # authenticated users
    "BA": "S-1-5-32-544",  # administrators
    "BG": "S-1-5-32-546",  # guests
    "BO": "S-1-5-32-551",  # backup operators
    "BU": "S-1-5-32-545",  # users
    "CD": "S-1-5-32-574",  # certificate services DCOM access
    "CG": "S-1-3-1",  # creator group
    "CO": "S-1-3-0",  # creator owner
    "CY": "S-1-5-32-569",  # cryptographic operators
    "ED": "S-1-5-9",  # enterprise domain controllers
    "ER": "S-1-5-32-573",  # event log readers
    "ES": "S-1-5-32-576",  # remote desktop endpoint servers
    "HA": "S-1-5-32-578",  # Hyper-V administrators
    "HI": "S-1-16-12288",  # high integrity
    "IS": "S-1-5-32-568",  # IIS users
    "IU": "S-1-5-4",  # interactive
    "LS": "S-1-5-19",  # local service
    "LU": "S-1-5-32-559",  # performance log users
    "LW": "S-1-16-4096",  # low integrity
    "ME": "S-1-16-8192",  # medium integrity
    "MP": "S-1-16-8448",  # medium plus integrity
    "MS": "S-1-5-32-577",  # remote desktop management servers
    "MU": "S-1-5-32-558",  # performance monitor users
    "NO": "S-1-5-32-556",  # network configuration operators
    "NS": "S-1-5-20",  # network service
    "NU": "S-1-5-2",  # network
    "OW": "S-1-3-4",  # owner rights
    "PO": "S-1-5-32-550",  # print operators
    "PS": "S-1-5-10",  # principal self
    "PU": "S-1-5-32-547",  # power users
    "RA": "S-1-5-32-575",  # remote desktop remote access servers
    "RC": "S-1-5-12",  # restricted code
    "RD": "S-1-5-32-555",  # remote desktop users
    "RE": "S-1-5-32-552",  # replicator
    "RM": "S-1-5-32-580",  # remote management users
    "RU": "S-1-5-32-554",  # pre-Windows 2000 compatible access
    "SI": "S-1-16-16384",  # system integrity
    "SO": "S-1-5-32-549",  # server operators
    "SS": "S-1-18-2",  # identity asserted by a service
    "SU": "S-1-5-6",  # service
    "SY": "S-1-5-18",  # local system
    "UD": "S-1-5-84-0-0-0-0-0",  # user mode drivers
    "WD": "S-1-1-0",  # everyone
    "WR": "S-1-5-33",  # write restricted code
}

# Accounts of a machine or domain: the machine that reads the text puts its own number into their SIDs.
OF_A_DOMAIN: Final = frozenset(
    ["AP", "CA", "CN", "DA", "DC", "DD", "DG", "DU", "EA", "EK", "KA", "LA", "LG", "PA", "RO", "RS", "SA"]
)

CONTROL: Final = ("P", "AR", "AI")  # flags of a list: protected, auto-inherit required, auto-inherited
NULL_ACL: Final = "NO_ACCESS_CONTROL"

# Entry types by the list that they stand in.
KINDS: Final = {
    "D": {"A": 0, "D": 1, "OA": 5, "OD": 6},
    "S": {"AU": 2, "AL": 3, "OU": 7, "OL": 8, "ML": 17, "SP": 19, "TL": 20},
}
# An object entry without a GUID says what the plain one says; Windows reads it as that ("ACE strings", on OA).
OBJECT_TO_PLAIN: Final = {5: 0, 6: 1, 7: 2, 8: 3}
MANDATORY_LABEL: Final = 17
# Types whose text goes on behind the SID: conditions and claims.
EXTENDED: Final = {"XA": 9, "XD": 10, "ZA": 11, "XU": 13, "RA": 18, "FL": 21}

FLAGS: Final = {"OI": 0x01, "CI": 0x02, "NP": 0x04, "IO": 0x08, "ID": 0x10, "CR": 0x20, "SA": 0x40, "FA": 0x80}

# Rights of one bit, in the order in which Windows writes them.
BITS: Final = {
    "CC": 0x00000001,  # on a file: read data; on a directory: list
    "DC": 0x00000002,  # write data; add a file
    "LC": 0x00000004,  # append data; add a directory
    "SW": 0x00000008,  # read extended attributes
    "RP": 0x00000010,  # write extended attributes
    "WP": 0x00000020,  # execute; traverse
    "DT": 0x00000040,  # delete the directory's content
    "LO": 0x00000080,  # read attributes
    "CR": 0x00000100,  # write attributes
    "SD": 0x00010000,  # delete
    "RC": 0x00020000,  # read the descriptor
    "WD": 0x00040000,  # write the DACL
    "WO": 0x00080000,  # write the owner
    "GA": 0x10000000,  # generic all
    "GX": 0x20000000,  # generic execute
    "GW": 0x40000000,  # generic write
    "GR": 0x80000000,  # generic read
}
# Sets of rights, of files (F) and registry keys (K): all, read, write, execute. KX is the same as KR.
SETS: Final = {
    "FA": 0x1F01FF,
    "FR": 0x120089,
    "FW": 0x120116,
    "FX": 0x1200A0,
    "KA": 0xF003F,
    "KR": 0x20019,
    "KW": 0x20006,
    "KX": 0x20019,
}
LABEL_BITS: Final = {"NW": 1, "NR": 2, "NX": 4}  # what a process of less integrity may not do: write, read, execute
