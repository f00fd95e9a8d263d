# SPDX-License-Identifier: Apache-2.0
"""C99 and later, and C++: a module is a header and a source file."""

import re

from ..base.errors import GeneratorError
from .language import CONSTANTS, Language, ModuleOptions, Place, both_kinds, check_identifier, windows_name

_KEYWORDS = frozenset(  # of C23 and C++23, and C++'s spellings of operators, which are <iso646.h>'s too
    """alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class
    co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default
    delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long
    mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
    reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch
    template this thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using virtual
    void volatile wchar_t while xor xor_eq""".split()  # noqa: SIM905 - words are easier read so
)


def _check(options: ModuleOptions) -> None:
    name = options.prefix
    check_identifier("prefix of C names", name, _KEYWORDS, "use --prefix")
    if name[0] == "_" or name[-1] == "_" or "__" in name:
        raise GeneratorError(f"{name}: C and C++ keep names with such underscores to themselves; hint: use --prefix")
    if not re.fullmatch(r"[A-Za-z0-9_.+-]+", options.package):  # it stands in an #include
        raise GeneratorError(
            f"{options.package}: not a plain file name; hint: end DEST in letters, digits, _ . + and -"
        )


def _placed(place: Place) -> ModuleOptions:
    return ModuleOptions(
        place.stem, place.recorded.prefix if place.recorded else re.sub(r"\W", "_", place.stem, flags=re.ASCII)
    )


LANGUAGE = Language(
    comment="//",
    modules=both_kinds("c/windows_{name}.h", "c/windows_{name}.c"),
    takes={"prefix": "what symbols start with, and in capitals macros and the include guard"},
    follow="the file's name",
    api={
        **{word: f"{{PREFIX}}_{name}" for word, name in CONSTANTS.items()},
        "layer": "{prefix}_layer",
        "blob": "{prefix}_blob",
        "BCD": "{PREFIX}_BCD",
        "verify": "{prefix}_verify()",
    },
    committed=lambda name: ModuleOptions(windows_name(name), windows_name(name)),
    placed=_placed,
    check=_check,
    proof=lambda options: (
        "d=$(mktemp -d) && echo '#include <stdio.h>",
        "int main(void) {",
        f"fwrite({options.prefix}_blob,",
        f"sizeof {options.prefix}_blob,",
        "1, stdout); }' |",
        f"cc -x c -o $d/p -include {options.package}.c - &&",
        "$d/p | sha256sum; rm -r $d",
    ),
    alike=(
        (".c", ".cc", ".cpp", ".cxx", ".c++"),
        (".h", ".hh", ".hpp", ".hxx", ".h++", ".inc", ".inl", ".ipp", ".tpp"),
    ),
)
