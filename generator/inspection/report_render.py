# SPDX-License-Identifier: Apache-2.0
"""The templates of a report, in which whatever they are given is text, never markup."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2

from ..errors import GeneratorError, shorten, visible

_MOST_TEXT: Final = 400  # characters of what a layer says that stand in a page itself


def render(templates: Path, name: str, context: Mapping[str, Any]) -> bytes:
    """Return template *name* of the folder *templates* rendered; raise GeneratorError that names it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates / "report"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        newline_sequence="\n",
        autoescape=True,
    )
    environment.filters["plain"] = plain
    try:
        return environment.get_template(name).render(context).encode("utf-8")
    except jinja2.TemplateSyntaxError as error:
        raise GeneratorError(f"templates/report/{name}: line {error.lineno}: {error.message}") from error
    except Exception as error:  # a template can raise whatever its expressions can
        raise GeneratorError(f"templates/report/{name}: {error}") from error


def plain(text: object) -> str:
    """Return *text* as one line in which nothing is unseen or turns the rest around, cut where it is long."""
    return visible(shorten(str(text), _MOST_TEXT))
