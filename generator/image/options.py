# SPDX-License-Identifier: Apache-2.0
"""The options of an image, from the command line, a TOML file or Python."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from ..base import toml
from ..base.errors import GeneratorError, brief, shorten
from ..base.reading import read_file
from ..oci.files import facts
from .model import Compression, Times
from .source_options import HINTS, AnySource, SourceTable, plain, restored

_MOST_SECONDS = 9_223_372_036  # in the year 2262: the last time that fits into 64 bits as signed nanoseconds


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    r"""The options of an image; each is the option of the same name, and a key of ``--config``'s file.

    *source* holds files and directories as ``SRC[:DEST][@OPTION...]``, os.PathLike, SourceTable or SourceData, *to*
    destinations as in containers-transports(5), and *base* the image to build on, in place of *layer*. *platform* holds
    ``windows/amd64:10.0.20348`` and the like: without any, the image is for every version of Windows, or for that of
    *base*; several make an index. *expose* holds ports, ``80`` or ``53/udp``. On HostProcess, a program and a
    *workdir* of the image are stored below ``%CONTAINER_SANDBOX_MOUNT_POINT%``; other paths are the node's.
    """

    source: tuple[AnySource, ...] = ()
    to: tuple[str, ...] = ()
    base: str = ""
    layer: str = "hostprocess"
    one_layer: bool = False
    exclude: tuple[str, ...] = ()
    security: str = "users-read"
    times: Times = "fixed"
    compression: Compression = "default"
    platform: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: dict[str, str] = {}
    label: dict[str, str] = {}
    annotation: dict[str, str] = {}
    user: str = ""
    workdir: str = ""
    expose: tuple[str, ...] = ()
    volume: tuple[str, ...] = ()
    stop_signal: str = ""
    healthcheck: str = ""
    shell: tuple[str, ...] = ()
    link: dict[str, Literal["file", "directory"]] = {}
    plain_http: tuple[str, ...] = ()
    force: bool = False


_KEYS = "its keys are the options of the command image"
_SOURCE_KEYS = f"the keys of a source are {', '.join(dict.fromkeys(('path', *SourceTable.__struct_fields__)))}"
_MAPS = ("env", "label", "annotation", "link")
_VALUES = {"times": get_args(Times), "compression": get_args(Compression)}


def read(path: Path) -> Options:
    """Return the options of a TOML file; raises GeneratorError that names the file and the key."""
    document = toml.parse(read_file(path, str(path), toml.MAX_TEXT), str(path), _KEYS)
    try:
        return msgspec.convert(document, Options)
    except msgspec.ValidationError as error:
        problem = _problem(error)
        source = re.match(r"source\[\d+\]\.?(\w*)", problem)
        hint = HINTS.get(source[1], _SOURCE_KEYS) if source else _KEYS
        raise GeneratorError(f"{path}: {problem}" + f"; hint: {hint}" * ("; hint: " not in problem)) from error


def given(words: dict[str, Any], config: Path | None) -> Options:
    """Return the options of a command line, *words* by name, merged with those of the file *config*.

    Command-line options override the file's; variables, labels and annotations are merged by name. Raises
    GeneratorError.
    """
    base = read(config) if config is not None else Options()
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in words.items() if value}
    for name in _MAPS:
        if name in values:
            values[name] = getattr(base, name) | pairs(name, values[name])
    if security := (*values.pop("security", ()), *values.pop("owner", ())):
        if len(security) > 1:
            raise GeneratorError("--security: given twice; hint: give one, which applies to all files")
        values["security"] = security[0]
    return msgspec.structs.replace(base, **values)


def checked(options: Options) -> Options:
    """Return *options* with their types checked and lists as tuples; raises GeneratorError."""
    values = {field.encode_name: getattr(options, field.name) for field in msgspec.structs.fields(Options)}
    sources = options.source if isinstance(options.source, (tuple, list)) else ()
    if sources:
        values["source"] = [plain(each) for each in sources]
    try:
        found = msgspec.convert(values, Options)
    except msgspec.ValidationError as error:
        raise GeneratorError(f"image: {_problem(error)}") from error
    return msgspec.structs.replace(found, source=tuple(map(restored, sources, found.source)))


def _problem(error: msgspec.ValidationError) -> str:
    """Return an error's text as ``KEY: problem``, with the valid values if they are few."""
    said, _, place = str(error).partition(" - at `$")
    key = place.strip(".`")
    said = said.replace("Invalid enum value", "invalid value", 1)
    wanted = _VALUES.get(key, ())
    return f"{key and f'{key}: '}{shorten(said, 200)}" + (f"; hint: one of {', '.join(wanted)}" if wanted else "")


def epoch(environment: Mapping[str, str] = os.environ) -> int:
    """Return SOURCE_DATE_EPOCH in seconds since 1970, the time of all files and documents of an image, or its default.

    Raises GeneratorError for a time that a layer cannot hold.
    """
    text = environment.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return facts().limits.default_time // 1_000_000_000
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) <= _MOST_SECONDS):
        raise GeneratorError(
            f"SOURCE_DATE_EPOCH: {brief(text)} is not whole seconds since 1970; hint: unset SOURCE_DATE_EPOCH"
        )
    return int(text)


def pairs(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Parse the ``NAME=VALUE`` *texts* of an *option*; return the values by name. Raises GeneratorError."""
    found = {}
    for text in texts:
        name, equals, found[name] = text.partition("=")
        if not (name and equals):
            raise GeneratorError(f"--{option} {text}: no NAME=VALUE; hint: --{option} NAME=VALUE")
    return found
