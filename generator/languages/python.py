# SPDX-License-Identifier: Apache-2.0
"""Python 3.8 and later: a module is one file, and the file's name is the module's."""

import keyword
import sys

from ..base.errors import GeneratorError
from .language import FUNCTIONS, Language, ModuleOptions, Place, both_kinds, check_identifier, windows_name

_FIX = "end DEST in another name, or use --package with a directory"


def _check(options: ModuleOptions) -> None:
    name = options.package
    check_identifier("Python module", name, frozenset(keyword.kwlist), _FIX)
    if name in sys.stdlib_module_names:
        raise GeneratorError(f"{name}: hides a module of Python's standard library; hint: {_FIX}")


def _stem(name: str, package: str | None) -> str:
    if package is None:
        return windows_name(name)
    _check(ModuleOptions(package))  # before it can lead to another directory
    return package


def _placed(place: Place) -> ModuleOptions:
    if place.package not in {None, place.stem}:
        raise GeneratorError(
            f"--package {place.package}: DEST already names the module {place.stem}; hint: leave one out"
        )
    return ModuleOptions(place.stem)


LANGUAGE = Language(
    comment="#",
    modules=both_kinds("python/windows_{name}.py"),
    takes={"package": "the module"},
    follow="the file's name",
    api=FUNCTIONS | {"open compressed": "open_compressed()"},
    committed=lambda name: ModuleOptions(windows_name(name)),
    placed=_placed,
    check=_check,
    proof=lambda _: (r"""sed -n '/^_BLOB/,/^)/s/.*"\(.*\)".*/\1/p' FILE |""", "base64 -d | sha256sum"),
    stem=_stem,
)
