# SPDX-License-Identifier: Apache-2.0
"""Discover the languages: each is one file in this folder and one folder of templates.

Standard library only, and little of it, for the staleness check.
"""

import os
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import NamedTuple

from ..base.errors import GeneratorError
from .language import LAYER, Language

_NO_LANGUAGES = frozenset(("__init__", "head", "language", "literals", "provenance", "render", "table"))


class Committed(NamedTuple):
    """One file below ``output/`` that is rendered from a template: its path there, and the inputs.

    *name* is the layer's, or the kind if that is not LAYER; *kind* is empty for a file that is not a module, and *name*
    if it is of no layer.
    """

    path: str
    language: str
    template: str
    kind: str = ""
    name: str = ""


def _discover() -> dict[str, Language]:
    """Return the languages in this folder by file name, sorted."""
    folder = os.path.dirname(__file__)  # noqa: PTH120 - pathlib would cost as much as the check
    names = sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".py"))  # noqa: PTH208
    return {name: _load(name) for name in names if name.isidentifier() and name not in _NO_LANGUAGES}


def _load(name: str) -> Language:
    """Return the record in one of the files; raises GeneratorError that names the file and, if known, the field."""
    try:
        record: Language = import_module(f"{__package__}.{name}").LANGUAGE
    except AttributeError as error:
        raise GeneratorError(
            f"languages/{name}.py: defines no LANGUAGE; hint: define it, or move the file away"
        ) from error
    except TypeError as error:
        # Python's messages: missing 1 required positional argument: 'api'; got an unexpected keyword argument 'apis'
        fields = ", ".join(re.findall(r"'(\w+)'", str(error)))
        problem = f"lacks {fields}" if " missing " in str(error) else f"is invalid: {error}"
        raise GeneratorError(
            f"languages/{name}.py: LANGUAGE {problem}; hint: generator/languages/language.py describes it"
        ) from error
    return record


LANGUAGES = _discover()


def kinds() -> list[str]:
    """Return the kinds of modules that embed no layer, in any language, sorted."""
    return sorted({kind for language in LANGUAGES.values() for kind in language.modules} - {LAYER})


def refused_names() -> frozenset[str]:
    """Return the names that a layer cannot have: the kinds of modules, and those that a language refuses."""
    return frozenset(kinds()).union(*(language.refused for language in LANGUAGES.values()))


def endings() -> tuple[str, ...]:
    """Return the endings of the files of modules, including those that mean the same, sorted."""
    found = {
        alike
        for language in LANGUAGES.values()
        for kind in language.modules
        for own in language.endings(kind).values()
        for alike in language.endings_like(own)
    }
    return tuple(sorted(found))


def option_help(option: str) -> str:
    """Return the help text of an *option* of ``vendor``: its meaning in each language that takes it."""
    return "; ".join(f"{name}: {row.takes[option]}" for name, row in LANGUAGES.items() if option in row.takes)


def mark() -> str:
    """Return the regular expression for the start of a provenance line, up to its JSON."""
    comments = sorted({language.comment for language in LANGUAGES.values()})
    return f"^(?:{'|'.join(map(re.escape, comments))}) winscratch:"


def committed(layers: Iterable[str]) -> Iterator[Committed]:
    """Yield every file below ``output/`` that is rendered from a template, for *layers*."""
    names = list(layers)
    for key, language in LANGUAGES.items():
        for template, path in language.shared:
            for name in names if "{name}" in path else [""]:
                yield Committed(path.format(name=name), key, template, name=name)
        for kind, files in language.modules.items():
            for name in names if kind == LAYER else [kind]:
                for template, path in files:
                    yield Committed(path.format(name=name, Name=name.capitalize()), key, template, kind, name)
