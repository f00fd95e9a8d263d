# SPDX-License-Identifier: Apache-2.0
"""Render source modules from a blob: the Jinja environment, the literal filters, and the provenance line.

Rendering is a pure function of the blob, the template and the options; it needs no engine.
"""

import traceback
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from .. import VERSION
from ..base.errors import GeneratorError
from ..oci import files
from ..oci.blob import MEDIA_TYPE, Blob
from .head import head
from .language import ModuleOptions
from .literals import base64, define, numbers, pieces, powers, quoted, runs
from .provenance import Provenance, seal
from .table import LANGUAGES, committed

Filters = tuple[Callable[..., Any], ...]
_LITERALS: Filters = (runs, powers, pieces, quoted, base64, numbers, define)


def modules(templates: Path, blobs: Mapping[str, Blob]) -> Iterator[tuple[str, str | None, bytes]]:
    """Yield path, layer (None if not of one layer) and content of each output rendered from *templates* and *blobs*."""
    for row in committed(blobs):
        folder = templates / row.language
        if row.kind:
            options = LANGUAGES[row.language].committed(row.name)
            text = module(folder, row.template, row.name, blobs.get(row.name), options)
        else:
            text = render(folder, row.template, files.context() | {"layer": row.name, "media_type": MEDIA_TYPE})
        yield f"output/{row.path}", row.name if row.name in blobs else None, text.encode("utf-8")


def module(folder: Path, file: str, name: str, blob: Blob | None, options: ModuleOptions) -> str:
    """Return the sealed module rendered from template *file* of *folder* and *blob*; *folder* is the language's.

    *name* is the layer's, or the kind of a module that embeds none: then *blob* is None, and the template
    gets the facts about layers on top instead. Raises GeneratorError that names template and line.
    """
    digests = (blob.digest, blob.diff_id) if blob else ("", "")
    provenance = Provenance(name, folder.name, file, options, *digests, VERSION)
    context = {
        "layer": name,
        "media_type": MEDIA_TYPE,
        "options": options,
        "provenance": provenance.line(),
        "head": head(provenance),
    }
    return seal(render(folder, file, context | ({"blob": blob} if blob else files.context())))


@cache
def _environment(folder: Path, filters: Filters, escape: bool) -> jinja2.Environment:
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        newline_sequence="\n",
        autoescape=escape,
    )
    environment.filters |= {each.__name__: each for each in filters}
    return environment


def render(
    folder: Path, template: str, context: Mapping[str, Any], filters: Filters = _LITERALS, *, escape: bool = False
) -> str:
    """Return *template* of *folder* rendered, values as HTML if *escape*.

    Raises GeneratorError that names template and line.
    """
    try:
        return _environment(folder, filters, escape).get_template(template).render(context)
    except jinja2.TemplateNotFound as error:
        where = _failing_line(error, template)
        raise GeneratorError(f"templates/{folder.name}/{where}: template {error.name} not found") from error
    except jinja2.TemplateSyntaxError as error:
        raise GeneratorError(f"templates/{folder.name}/{error.name}: line {error.lineno}: {error.message}") from error
    except Exception as error:  # an expression in a template can raise anything
        raise GeneratorError(f"templates/{folder.name}/{_failing_line(error, template)}: {error}") from error


def _failing_line(error: BaseException, template: str) -> str:
    """Return the template and, if it ran, the line that raised *error*, which Jinja puts in the traceback."""
    where = template
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = Path(frame.f_code.co_filename)
        if file.suffix == ".jinja":
            where = f"{file.name}: line {line}"
    return where
