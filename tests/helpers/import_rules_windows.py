# SPDX-License-Identifier: Apache-2.0
"""Import rules. UtilityVM, hives, and the PAX records that Windows reads."""

from .import_table import rows
from .layouts import CONFIG, RECORDS, ROOTS, Part, base, directory, tarred
from .odd_layers import (
    BCD,
    BCD_FOLDER,
    HIVE,
    SAM,
    UVM,
    WAY,
    attributes,
    encoded,
    file,
    folder,
    hard,
    kind,
    layers,
    low,
    on,
    top,
    xattr,
)

VM_FILE = layers([UVM, directory("UtilityVM/Files"), file("UtilityVM/Files/aa")])()[1]

UTILITY = [
    *rows(
        "",
        ("a file in UtilityVM", top(UVM, directory("UtilityVM/Files"), file("UtilityVM/Files/aa")), "clone"),
        ("a file beside the BCD store that is below", top(UVM, file(f"{BCD_FOLDER}/aa")), "vm-create"),
        ("a file in the place of one below", top(UVM, Part(BCD, HIVE)), "vm-replace"),
        (
            "two layers with UtilityVM",
            lambda: [base(), VM_FILE, tarred([*ROOTS, UVM, file("UtilityVM/Files/aa")])],
            "clone",
        ),
    ),
    *rows(
        "utility-vm-on-top",
        ("UtilityVM is missing", top(file("UtilityVM/Files/aa")), "vm-missing"),
        ("UtilityVM comes later", top(file("UtilityVM/Files/aa"), UVM), "vm-missing"),
        ("UtilityVM with a slash", top(directory("UtilityVM/"), file("UtilityVM/Files/aa")), "vm"),
        ("UtilityVM on a base without", on("hostprocess", UVM, file("UtilityVM/Files/aa")), "clone"),
        ("UtilityVM on a layer without", layers([], [UVM, file("UtilityVM/Files/aa")]), "clone"),
        ("something beside UtilityVM/Files", top(UVM, file("UtilityVM/aa")), "vm-invalid"),
        ("UtilityVM/files in other case", top(UVM, file("UtilityVM/files/aa")), "vm-invalid"),
        ("UtilityVM with a security descriptor", top(folder("UtilityVM"), file("UtilityVM/Files/aa")), "closed"),
        ("UtilityVM is a file", top(kind("UtilityVM", b"0"), file("UtilityVM/Files/aa")), "closed"),
    ),
    *rows(
        "parent", ("a directory that is missing here and below", top(UVM, file("UtilityVM/Files/d/aa")), "vm-create")
    ),
    *rows("repeated", ("a file in the place of a directory below", top(UVM, file(BCD_FOLDER)), "vm-replace")),
    *rows("link-target", ("a hard link to itself in UtilityVM", top(UVM, hard(BCD, BCD)), "link-vm")),
]

HIVES = [
    *rows(
        "",
        ("a hive of changes", top(Part("Hives/System_Delta", HIVE)), "delta"),
        ("a hive of changes in capitals", top(Part("Hives/SAM_DELTA", HIVE)), "deltas"),
    ),
    *rows(
        "hive-delta",
        ("a hive of changes that is empty", top(Part("Hives/System_Delta")), "delta"),
        ("a hive of changes that is damaged", top(Part("Hives/System_Delta", HIVE[:-1])), "delta"),
    ),
    *rows("hive-on-top", ("a hive in the place of a base layer's", top(*WAY, Part(SAM, HIVE)), "merge")),
    *rows(
        "hives-other",
        ("a file in Hives that is not a delta hive", top(Part("Hives/SAM", HIVE)), "deltas"),
        ("a directory in Hives", top(folder("Hives/d")), "deltas"),
        ("a hive of changes in a directory", top(folder("Hives/d"), Part("Hives/d/Sam_Delta", HIVE)), "merge"),
    ),
    *rows(
        "hive",
        (
            "an empty hive in a base layer",
            low(change=lambda part: part._replace(data=b"") if part.name == SAM else part),
            "base-hives",
        ),
        (
            "an empty BCD store",
            low(change=lambda part: part._replace(data=b"") if part.name == BCD else part),
            "base-process-vm",
        ),
    ),
    *rows("hive-missing", ("a hive is missing in a base layer", low(without=SAM), "base-hives")),
    *rows(
        "hive-missing kind",
        (
            "five hives of type 7",
            low(change=lambda part: part._replace(kind=b"7") if part.name.startswith(f"{CONFIG}/") else part),
            "type",
        ),
    ),
    *rows(
        "hive-linked",
        ("a hard link to a hive in a base layer", low(hard("Files/bb", SAM)), "std-link"),
        ("a hard link to the BCD store in a base layer", low(hard("Files/bb", BCD)), "mutated"),
    ),
    *rows(
        "hive-linked hive-on-top",
        ("a hard link in the place of a hive", top(*WAY, file("Files/aa"), hard(SAM, "Files/aa")), "std-link"),
    ),
    *rows("utility-vm", ("no BCD store in a base layer's UtilityVM", low(without=BCD), "base-process-vm")),
    *rows(
        "base-slash",
        (
            "UtilityVM/Files with a slash in a base layer",
            low(change=lambda part: part._replace(name=f"{part.name}/") if part.name == "UtilityVM/Files" else part),
            "base-vm",
        ),
    ),
]

RECORD = [
    *rows(
        "",
        ("attributes with zeros before them", attributes("00000000000000000032"), "fileattr"),
        (
            "a creation time with a sign",
            top(file("Files/aa", **{"LIBARCHIVE.creationtime": "+1.5"})),
            "created-seconds",
        ),
        (
            "a creation time of many digits",
            top(file("Files/aa", **{"LIBARCHIVE.creationtime": "0" * 30 + "1." + "5" * 30})),
            "created-seconds",
        ),
        (
            "a security descriptor on two lines",
            top(file("Files/aa", **{"MSWINDOWS.rawsd": "\n".join([*RECORDS["MSWINDOWS.rawsd"]])})),
            "rawsd",
        ),
        ("an extended attribute named by 255 bytes", xattr("n" * 255, "AQ=="), "xattr-name"),
        ("an extended attribute of 65,535 bytes", xattr("a", encoded(65_535)), "xattr-value"),
        ("bits beyond the last byte in base64", xattr("a", "AR=="), "xattr"),
    ),
    *rows(
        "attributes",
        ("attributes with a sign", attributes("+1"), "fileattr"),
        ("attributes in hexadecimal", attributes("0x20"), "fileattr"),
        ("attributes that are empty", attributes(""), "fileattr"),
        ("attributes of more than 32 bits", attributes("4294967296"), "fileattr"),
        ("a file with a directory's attribute", attributes("16"), "is-directory"),
        (
            "a directory without its attribute",
            top(directory("Files/d", **RECORDS, **{"MSWINDOWS.fileattr": "0"})),
            "is-directory",
        ),
    ),
    *rows(
        "time",
        ("a creation time that is empty", top(file("Files/aa", **{"LIBARCHIVE.creationtime": ""})), "created"),
        (
            "a creation time with a comma",
            top(file("Files/aa", **{"LIBARCHIVE.creationtime": "1,5"})),
            "created-seconds",
        ),
        ("a time that nanoseconds of 64 bits do not hold", top(file("Files/aa", mtime="9223372037")), "nanoseconds"),
    ),
    *rows(
        "time-missing",
        (
            "no time of access",
            top(Part("Files/aa", records={k: v for k, v in RECORDS.items() if k != "atime"})),
            "access-time",
        ),
    ),
    *rows(
        "descriptor",
        (
            "a security descriptor without padding",
            top(file("Files/aa", **{"MSWINDOWS.rawsd": RECORDS["MSWINDOWS.rawsd"].rstrip("=")})),
            "rawsd",
        ),
        (
            "a security descriptor with a blank",
            top(file("Files/aa", **{"MSWINDOWS.rawsd": f" {RECORDS['MSWINDOWS.rawsd']}"})),
            "rawsd",
        ),
    ),
    *rows(
        "descriptor-missing",
        ("no security descriptor", top(Part("Files/aa", records={"atime": "0", "ctime": "0"})), "no-sd"),
    ),
    *rows(
        "record",
        ("an extended attribute named by 256 bytes", xattr("n" * 256, "AQ=="), "xattr-name"),
        ("an extended attribute named by 128 letters of two bytes", xattr("ü" * 128, "AQ=="), "xattr-name"),
        ("an extended attribute of 65,536 bytes", xattr("a", encoded(65_536)), "xattr-value"),
        ("an extended attribute with too much padding", xattr("a", "AAAA===="), "xattr"),
        ("an extended attribute with an odd length", xattr("a", "AQ="), "xattr"),
    ),
]
