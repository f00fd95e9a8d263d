# SPDX-License-Identifier: Apache-2.0
"""Sources with options of their own, which override those of the image."""

import datetime
import os
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from ..base.errors import GeneratorError, shorten
from ..oci.files import facts
from .entries import security
from .model import Data, EntryOptions, Times

Attribute = Literal["archive", "hidden", "normal", "read-only", "system"]
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


if TYPE_CHECKING:
    Words = str | os.PathLike[str]
    Content = Data
else:
    Words = str  # what files of TOML hold
    Content = Any


class _SourceOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    to: str = ""
    platform: str = ""
    security: str = ""
    attributes: tuple[Attribute, ...] = ()
    times: Times | None = None
    time: Annotated[datetime.datetime, msgspec.Meta(tz=True)] | None = None


class SourceTable(_SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source with options of its own: a table ``[[source]]`` in ``--config``'s file.

    *path* is the file or directory, *to* its path in the image as DEST, and *platform* the only one that it is for.
    *security*, *attributes*, and *times* or *time* (with a time zone) are those of everything in the source; folders
    above it keep the image's.
    """

    path: Words


class SourceData(_SourceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file whose content is *data*: bytes, or a binary file, which is read once, from its position to its end.

    *to* is the file's path in the image. The other fields are those of SourceTable; without *time*, the file has the
    image's time.
    """

    data: Content


if TYPE_CHECKING:
    AnySource = Words | SourceTable | SourceData
else:
    AnySource = Words | SourceTable  # what files of TOML hold


def plain(source: object) -> object:
    """Return a source as TOML would hold it: paths as text, and data as an empty path."""
    if isinstance(source, _SourceOptions):
        fields = msgspec.structs.asdict(source)
        path = fields.pop("path", "")
        fields.pop("data", None)
        return {"path": plain(path), **{name: value for name, value in fields.items() if value is not None}}
    return os.fspath(source) if isinstance(source, os.PathLike) else source


def restored(source: AnySource, converted: AnySource) -> AnySource:
    """Return *converted*, made from plain(*source*), with the data of *source* put back if it has any."""
    if not isinstance(source, SourceData) or not isinstance(converted, SourceTable):
        return converted
    fields = {name: getattr(converted, name) for name in _SourceOptions.__struct_fields__}
    return SourceData(data=source.data, **fields)


def entry_options(source: _SourceOptions, shown: str) -> EntryOptions:
    """Return the options of a source's entries; raises GeneratorError that begins with *shown*."""
    if source.security:
        security(source.security, f"{shown}: security")
    known = facts().attributes
    values = {**known.settable, "normal": known.normal}
    bits = sum(values[name.replace("-", "_")] for name in set(source.attributes))
    if "normal" in source.attributes and bits != known.normal:
        raise GeneratorError(f"{shown}: attributes: normal means no others; hint: leave out normal")
    if source.time is not None and source.times is not None:
        raise GeneratorError(f"{shown}: both times and time; hint: leave one out")
    time: int | Times | None = source.times
    if source.time is not None:
        time = (source.time - _EPOCH) // datetime.timedelta(microseconds=1) * 1000
        if not facts().limits.time_least <= time <= facts().limits.time_most:
            raise GeneratorError(f"{shown}: time: {source.time.year} is outside 1677 to 2262, which layers can hold")
    return EntryOptions(source.security, bits, time)


def convert(fields: dict[str, Any], shown: str) -> SourceTable:
    """Return the table with *fields*, checked; raises GeneratorError that begins with *shown* and names the field."""
    try:
        return msgspec.convert(fields, SourceTable)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `$.")
        key = place.rstrip("`").partition("[")[0]
        hint = HINTS.get(key)
        problem = f"{key}: {said}" if key else said
        raise GeneratorError(f"{shown}: {shorten(problem, 200)}" + (f"; hint: {hint}" if hint else "")) from error


HINTS = {
    "attributes": "archive, hidden, read-only, system; or normal for none of them",
    "times": "fixed or keep",
    "time": "2024-01-31T12:00:00Z",
}
"""The hint for an invalid value of a field, if there is a better one than the list of fields."""
