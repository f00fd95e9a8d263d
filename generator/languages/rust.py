# SPDX-License-Identifier: Apache-2.0
"""Rust 2021, from 1.63 on: a module is one file that needs no crate, and its name is the module's."""

from .language import CONSTANTS, Language, ModuleOptions, both_kinds, check_identifier, windows_name

_KEYWORDS = frozenset(  # strict and reserved, "Keywords" in the Rust reference, 2024 edition included
    """abstract as async await become box break const continue crate do dyn else enum extern false final fn for gen if
    impl in let loop macro match mod move mut override priv pub ref return self Self static struct super trait true try
    type typeof unsafe unsized use virtual where while yield""".split()  # noqa: SIM905 - words are easier read so
)


LANGUAGE = Language(
    comment="//",
    modules=both_kinds("rust/windows_{name}.rs"),
    takes={},
    follow="the file's name",
    api=CONSTANTS | {"layer": "LAYER", "blob": "BLOB", "BCD": "bcd()", "verify": "verify()"},
    committed=lambda name: ModuleOptions(windows_name(name)),
    placed=lambda place: ModuleOptions(place.stem),
    check=lambda it: check_identifier("Rust module", it.package, _KEYWORDS | {"_"}, "end DEST in another name"),
    proof=lambda _: (
        "d=$(mktemp -d) && (cat FILE; echo 'fn main() { use std::io::Write;' &&",
        "echo 'std::io::stdout().write_all(BLOB).unwrap() }') |",
        "rustc --edition 2021 -o $d/print - && $d/print | sha256sum",
    ),
)
