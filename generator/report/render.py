# SPDX-License-Identifier: Apache-2.0
"""Render the templates of a report; all values are escaped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2

from ..base.errors import GeneratorError, shorten, visible

_MOST_TEXT: Final = 400  # characters of one text from a layer in the page itself


def render(templates: Path, name: str, context: Mapping[str, Any]) -> bytes:
    """Return the rendered template *name* of the directory *templates*; raise GeneratorError for a template's error."""
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
    except Exception as error:  # any error of its expressions
        raise GeneratorError(f"templates/report/{name}: {error}") from error


def plain(text: object) -> str:
    """Return *text* as one line, cut if long, with invisible and bidirectional characters escaped."""
    return visible(shorten(str(text), _MOST_TEXT))
