# SPDX-License-Identifier: Apache-2.0
"""The languages that are here: one file in this folder and one folder of templates each, and nothing else anywhere.

Standard library only, and little of it: the staleness check reads this table.
"""

import os
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import NamedTuple

from ..base.errors import GeneratorError
from .language import LAYER, Language, ending

_NO_LANGUAGES = frozenset(("__init__", "language", "literals", "provenance", "render", "table"))


class Committed(NamedTuple):
    """One file below ``output/`` that a template makes: its path there, and what it is rendered with.

    *name* is the layer's, or the kind's where that is not LAYER; *kind* and *name* are empty for a file
    that goes with all of a language's modules.
    """

    path: str
    language: str
    template: str
    kind: str = ""
    name: str = ""


def _discover() -> dict[str, Language]:
    """Return the language of each file in this folder that is one, by the file's name, sorted."""
    folder = os.path.dirname(__file__)  # noqa: PTH120 - pathlib would cost as much as the check
    names = sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".py"))  # noqa: PTH208
    found: dict[str, Language] = {}
    for name in names:
        if name.isidentifier() and name not in _NO_LANGUAGES:
            try:
                found[name] = import_module(f"{__package__}.{name}").LANGUAGE
            except AttributeError as error:
                raise GeneratorError(f"languages/{name}.py: defines no LANGUAGE; each file here is one") from error
    return found


LANGUAGES = _discover()


def kinds() -> list[str]:
    """Return the kinds of modules that some language has beside a layer's, sorted."""
    return sorted({kind for language in LANGUAGES.values() for kind in language.modules} - {LAYER})


def refused_names() -> frozenset[str]:
    """Return the names that a layer cannot have: those of other kinds of modules, and what a language refuses."""
    return frozenset(kinds()).union(*(language.refused for language in LANGUAGES.values()))


def endings() -> tuple[str, ...]:
    """Return what the files of modules end in, also by other names that projects give them, sorted."""
    return tuple(
        sorted(
            {
                alike
                for language in LANGUAGES.values()
                for files in language.modules.values()
                for template, _ in files
                for alike in language.endings_like(ending(template))
            }
        )
    )


def option_help(option: str) -> str:
    """Return what an *option* of ``vendor`` names in each language that takes it, in one line."""
    return "; ".join(f"{name}: {row.takes[option]}" for name, row in LANGUAGES.items() if option in row.takes)


def mark() -> str:
    """Return the regular expression of what stands before the JSON in the line that every module bears."""
    comments = sorted({language.comment for language in LANGUAGES.values()})
    return f"^(?:{'|'.join(map(re.escape, comments))}) winscratch:"


def committed(layers: Iterable[str]) -> Iterator[Committed]:
    """Yield every file below ``output/`` that a template makes, for the *layers* of that name."""
    names = list(layers)
    for key, language in LANGUAGES.items():
        for template, path in language.shared:
            yield Committed(path, key, template)
        for kind, files in language.modules.items():
            for name in names if kind == LAYER else [kind]:
                for template, path in files:
                    yield Committed(path.format(name=name, Name=name.capitalize()), key, template, kind, name)
