# SPDX-License-Identifier: Apache-2.0
"""The one table of output languages. Standard library only: the staleness check reads it."""

from typing import NamedTuple


class Language(NamedTuple):
    """A language that layers are rendered to.

    *modules* maps each template of a layer's module to its output path below ``output/``; ``{name}`` is
    the layer's. *shared* does the same for files that all layers share. *comment* starts a line comment.
    """

    name: str
    comment: str
    modules: tuple[tuple[str, str], ...]
    shared: tuple[tuple[str, str], ...] = ()


GO_KEYWORDS = frozenset(  # "Keywords", the Go language specification
    """break case chan const continue default defer else fallthrough for func go goto if import interface map package
    range return select struct switch type var""".split()  # noqa: SIM905 - words are easier read so
)

LANGUAGES = {
    language.name: language
    for language in (
        Language("python", "#", (("module.py.jinja", "python/windows_{name}.py"),)),
        Language("go", "//", (("module.go.jinja", "go/{name}/{name}.go"),), (("go.mod.jinja", "go/go.mod"),)),
        Language("c", "//", (("module.h.jinja", "c/windows_{name}.h"), ("module.c.jinja", "c/windows_{name}.c"))),
    )
}
