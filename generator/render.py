# SPDX-License-Identifier: Apache-2.0
"""A blob to source modules: the Jinja environment, the literal filters, and the provenance line.

Rendering is a pure function of the blob, the template and the options; it needs no engine.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from generator import VERSION
from generator.errors import GeneratorError
from generator.layer import MEDIA_TYPE, Blob
from generator.provenance import Options, Provenance, seal

_WORD = re.compile(rb"[!-~]{1,48}|.", re.DOTALL)  # printable ASCII stays together, so that names can be read


def default_options(language: str, layer: str) -> Options:
    """Return the options of the committed modules of *layer* in *language*."""
    if language == "go":
        return Options(layer)
    return Options(f"windows_{layer}", f"windows_{layer}" if language == "c" else "")


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of bytes: *zeros* NULs that end at *offset*, then *data*, which has no long run of NULs."""

    offset: int
    zeros: int
    data: bytes


def runs(data: bytes, least: int = 8) -> Iterator[Run]:
    """Split *data* where at least *least* NULs follow one another; the last run's data may be empty."""
    zeros = start = 0
    for gap in re.finditer(rb"\0{%d,}" % least, data):
        if gap.start() > start or zeros:
            yield Run(start, zeros, data[start : gap.start()])
        zeros, start = len(gap.group()), gap.end()
    if zeros or start < len(data):
        yield Run(start, zeros, data[start:])


def powers(number: int, largest: int = 4096) -> list[int]:
    """Return powers of two, none above *largest*, that add up to *number*, the greatest first."""
    whole, rest = divmod(number, largest)
    return [largest] * whole + [
        bit for bit in (1 << n for n in reversed(range(largest.bit_length() - 1))) if rest & bit
    ]


def quoted(data: bytes, width: int) -> list[str]:
    r"""Return *data* as double-quoted literals of at most *width* characters or one word, for Go and Python.

    Everything but printable ASCII is ``\x`` and two digits, quotes and backslash too: neither language
    reads more than two, so no literal can run on into what follows.
    """
    return [f'"{line}"' for line in _wrap(map(_escape, _WORD.findall(data)), "", width - 2)]


def pieces(data: bytes, width: int) -> Iterator[tuple[int, str]]:
    """Yield *data* as numbers of zeros, each with an empty literal, and as quoted literals, each with the number 0."""
    for run in runs(data):
        if run.zeros:
            yield run.zeros, ""
        for literal in quoted(run.data, width):
            yield 0, literal


def _escape(word: bytes) -> str:
    return "".join(chr(b) if 0x20 <= b < 0x7F and b not in b'"\\' else f"\\x{b:02x}" for b in word)


def numbers(data: bytes, width: int = 88) -> list[str]:
    """Return *data* as lines of C initialisers, each ending in a comma: letters as such, the rest as numbers."""
    return [line + "," for line in _wrap((", ".join(map(_number, word)) for word in _WORD.findall(data)), ", ", width)]


def _number(byte: int) -> str:
    if 0x20 <= byte < 0x7F and byte not in b"'\\":
        return f"'{byte:c}'"
    return str(byte) if byte < 10 else f"0x{byte:02x}"


def define(value: str, name: str) -> str:
    """Return a C macro's definition, broken where clang-format would break it: beyond 80 columns."""
    line = f"#define {name} {value}"
    return line if len(line) <= 80 else f"{f'#define {name}':<79}\\\n  {value}"


def _wrap(words: Iterable[str], separator: str, width: int) -> list[str]:
    """Return *words* joined into lines of at most *width* characters, or one word where that is longer."""
    lines: list[str] = []
    line: list[str] = []
    length = 0
    for word in words:
        if line and length + len(separator) + len(word) > width:
            lines.append(separator.join(line))
            line, length = [], 0
        length += len(word) + (len(separator) if line else 0)
        line.append(word)
    return [*lines, separator.join(line)] if line else lines


def module(folder: Path, file: str, layer: str, blob: Blob, options: Options, template: str) -> str:
    """Return the module that template *file* of *folder* makes of *blob*, sealed.

    *template* is the digest of what the text depends on beside the blob; the folder's name is the
    language's. Raises GeneratorError that names template and line.
    """
    provenance = Provenance(layer, folder.name, file, options, blob.digest, blob.diff_id, template, VERSION)
    context = {
        "layer": layer,
        "blob": blob,
        "media_type": MEDIA_TYPE,
        "options": options,
        "provenance": provenance.line(),
    }
    return seal(render(folder, file, context))


@cache
def _environment(folder: Path) -> jinja2.Environment:
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        newline_sequence="\n",
        autoescape=False,
    )
    environment.filters |= {"runs": runs, "powers": powers, "pieces": pieces, "numbers": numbers, "define": define}
    return environment


def render(folder: Path, template: str, context: Mapping[str, Any]) -> str:
    """Return *template* of *folder* rendered; raises GeneratorError that names template and line."""
    try:
        return _environment(folder).get_template(template).render(context)
    except jinja2.TemplateNotFound as error:
        where = _failing_line(error, template)
        raise GeneratorError(f"templates/{folder.name}/{where}: there is no template {error.name}") from error
    except jinja2.TemplateSyntaxError as error:
        raise GeneratorError(f"templates/{folder.name}/{error.name}: line {error.lineno}: {error.message}") from error
    except Exception as error:  # a template can raise whatever its expressions can
        raise GeneratorError(f"templates/{folder.name}/{_failing_line(error, template)}: {error}") from error


def _failing_line(error: BaseException, template: str) -> str:
    """Return the template and, where it came to run, the line that raised *error*, which Jinja puts in tracebacks."""
    where = template
    trace = error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.suffix == ".jinja":
            where = f"{file.name}: line {trace.tb_lineno}"
        trace = trace.tb_next
    return where
