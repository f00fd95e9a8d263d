# SPDX-License-Identifier: Apache-2.0
"""What an image is made of, as the command line, a file of TOML or a program says it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from ..base import toml
from ..base.errors import GeneratorError, brief, shorten
from ..base.reading import read_file
from ..oci.files import facts
from .model import Compression, Times

if TYPE_CHECKING:
    Words = str | os.PathLike[str]
else:
    Words = str  # what files of TOML hold

_MOST_SECONDS = 9_223_372_036  # in the year 2262: what a layer can hold, in nanoseconds of 63 bits


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    r"""All that can be asked of an image; each is the option of the same name, and a key of ``--config``'s file.

    *source* holds files and folders as ``SRC[:DEST]``, which may be an os.PathLike, *to* where the image goes, as
    containers-transports(5) spells it. *platform* holds ``windows/amd64:10.0.20348`` and the like: none makes an
    image for Windows of any version, several an index. *expose* holds ports, ``80`` or ``53/udp``; *workdir* is a
    path, ``C:\app``. For HostProcess that path is the node's: leave it empty. Then *entrypoint* begins with the name
    of a program at the image's root, or ``%CONTAINER_SANDBOX_MOUNT_POINT%\app\run.exe``.
    """

    source: tuple[Words, ...] = ()
    to: tuple[str, ...] = ()
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
    force: bool = False


_KEYS = "its keys are the options of the command image"
_MAPS = ("env", "label", "annotation")
_VALUES = {"times": get_args(Times), "compression": get_args(Compression)}


def read(path: Path) -> Options:
    """Return the options of a file of TOML; raises GeneratorError that names it and the key."""
    document = toml.parse(read_file(path, str(path), toml.MAX_TEXT), str(path), _KEYS)
    try:
        return msgspec.convert(document, Options)
    except msgspec.ValidationError as error:
        raise GeneratorError(f"{path}: {_told(error)}; {_KEYS}") from error


def given(words: dict[str, Any], config: Path | None) -> Options:
    """Return the options that a command line gives, as *words* by name, over those of the file *config*.

    An option that was given stands in the place of the file's; variables, labels and annotations are added to
    the file's, by name. Raises GeneratorError.
    """
    base = read(config) if config is not None else Options()
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in words.items() if value}
    for name in _MAPS:
        if name in values:
            values[name] = getattr(base, name) | dict(_pair(name, text) for text in values[name])
    if security := (*values.pop("security", ()), *values.pop("owner", ())):
        if len(security) > 1:
            raise GeneratorError("--security: given twice, and one is for all files; hint: leave out all but one")
        values["security"] = security[0]
    return msgspec.structs.replace(base, **values)


def checked(options: Options) -> Options:
    """Return *options*, each of its type, lists as tuples; raises GeneratorError where one is not."""
    values = {field.encode_name: getattr(options, field.name) for field in msgspec.structs.fields(Options)}
    if isinstance(options.source, (tuple, list)):
        values["source"] = [os.fspath(each) if isinstance(each, os.PathLike) else each for each in options.source]
    try:
        return msgspec.convert(values, Options)
    except msgspec.ValidationError as error:
        raise GeneratorError(f"image: {_told(error)}") from error


def _told(error: msgspec.ValidationError) -> str:
    """Return what is wrong with a value, after its key, and the values that there are where they are few."""
    said, _, place = str(error).partition(" - at `$")
    key = place.strip(".`")
    said = said.replace("Invalid enum value", "there is no", 1)
    wanted = _VALUES.get(key, ())
    return f"{key and f'{key}: '}{shorten(said, 200)}" + (f"; give one of {', '.join(wanted)}" if wanted else "")


def epoch(environment: Mapping[str, str] = os.environ) -> int:
    """Return the time of all that an image holds: SOURCE_DATE_EPOCH in seconds from 1970, or if unset the default.

    Raises GeneratorError for what is no time that a layer can hold.
    """
    text = environment.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return facts().limits.default_time // 1_000_000_000
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) <= _MOST_SECONDS):
        raise GeneratorError(f"SOURCE_DATE_EPOCH is {brief(text)}; give it whole seconds from 1970, or unset it")
    return int(text)


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise GeneratorError(f"--{option} {text}: give NAME=VALUE")
    return name, value
