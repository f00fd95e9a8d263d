# SPDX-License-Identifier: Apache-2.0
"""JSON decoder that follows Go's encoding/json, the decoder of all registry clients.

Decode a document into a msgspec.Struct by Go's rules: field names match in any case, the last value of a repeated key
counts, null leaves a field unchanged, and unknown fields are skipped. Python's own JSON decoders differ: they stop at
about 1,000 levels of nesting, reject invalid UTF-8, and accept NaN.

Types of fields, and the Go types they stand for: str (string), int (int64), bool, bytes ([]byte, as its base64 text),
Time (*time.Time), tuple and list (slices), dict (map[string]T), a Struct, and Struct | None (a pointer to one).
Source: Go 1.26, encoding/json decode.go, scanner.go and fold.go; time/format.go.
"""

import datetime
import functools
import json
import re
import types
import typing
from typing import Any, Final, TypeVar

import msgspec

from ..base.errors import brief, shorten

_MAX_DEPTH: Final = 10_000  # scanner.go, maxNestingDepth
_MOST_NOTES: Final = 100  # further notes are dropped
_TOKEN: Final = re.compile(
    r'[ \t\r\n]*+(?:([{}\[\],:])|"((?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*+)"'
    r"|(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?)|(true|false|null))"
)
_SPACE: Final = " \t\r\n"
_NOT_UNICODE: Final = re.compile("[\ud800-\udfff]")  # a byte of invalid UTF-8, or half of a surrogate pair
_FOLDED: Final = {0x17F: "s", 0x212A: "k"}  # long s and Kelvin sign: only these fold to ASCII in fold.go
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:[.,][0-9]+)?"
    r"(?:Z|[-+]([0-9]{2}):([0-9]{2}))"
)

_Kind = TypeVar("_Kind", bound=msgspec.Struct)


class GoError(ValueError):
    """The document would fail to decode in Go; the message names the field and the reason."""


class Time(str):
    """An RFC 3339 time with a zone."""

    __slots__ = ()


class _Number(str):
    """A number as spelled in the document."""

    __slots__ = ()


class _Escaped(str):
    """A string that the document spells with escapes; Go's time.Time refuses these."""

    __slots__ = ()


class _JsonObject(list[tuple[str, Any]]):
    """A JSON object as pairs of key and value, in the document's order."""

    __slots__ = ()


def decode(data: bytes, kind: type[_Kind]) -> tuple[_Kind, dict[str, Any], list[str]]:
    """Return *data* decoded as *kind*, its values by folded key, and notes on ambiguous keys.

    A key is ambiguous if decoders other than Go's may read it differently. Raises GoError.
    """
    reader = _Reader()
    raw = _JsonParser(data.decode("utf-8", "surrogateescape")).parse()
    return reader.struct(kind, raw, None, ""), {_fold(key): value for key, value in raw or ()}, reader.notes


def decode_list(data: bytes, kind: type[_Kind]) -> tuple[list[tuple[_Kind, bytes]], list[str]]:
    """Return the elements of an array, each decoded as *kind* and as bytes, and notes as decode() does."""
    parser = _JsonParser(data.decode("utf-8", "surrogateescape"), spanning=True)
    top = parser.parse()
    if top is None:
        return [], []
    if not isinstance(top, list) or isinstance(top, _JsonObject):
        raise GoError(f"{_called(top)}, want an array")
    reader = _Reader()
    made = [reader.struct(kind, each, None, f"[{at}]") for at, each in enumerate(top)]
    return list(zip(made, parser.spans, strict=True)), reader.notes


class _JsonParser:
    """Parses JSON without recursion; with *spanning*, records the text of each element of a top-level array."""

    def __init__(self, text: str, *, spanning: bool = False) -> None:
        self._spanning = spanning
        self._text, self._at, self._begun, self._start = text, 0, 0, 0
        self._want, self._key = "value", ""
        self._top: list[Any] = []
        self._stack: list[tuple[list[Any], str]] = [(self._top, "")]  # open containers, each with its key in its parent
        self.spans: list[bytes] = []

    def parse(self) -> Any:
        while self._want != "end":
            token = _TOKEN.match(self._text, self._at)
            if token is None:
                raise self._error(self._at)
            mark, quoted, number, word = token.groups()
            self._begun, self._at = self._at, token.end()
            if mark and mark in ":,]}":
                self._punctuate(mark)
            elif "key" in self._want and quoted is not None:
                self._key, self._want = _string(quoted), ":"
            elif "value" not in self._want:
                raise self._error(self._begun)
            else:
                if self._spanning and len(self._stack) == 2:
                    self._start = self._begun + len(token[0]) - len(token[0].lstrip(_SPACE))
                if mark:
                    self._open(mark)
                else:
                    self._add(self._key, _literal(quoted, number, word))
        if self._text[self._at :].strip(_SPACE):
            raise self._error(self._at)
        return self._top[0]

    def _punctuate(self, mark: str) -> None:
        if mark not in self._want:
            raise self._error(self._begun)
        if mark in ":,":
            self._want = "key" if self._want == ",}" else "value"
        else:
            container, key = self._stack.pop()
            self._add(key, container)

    def _open(self, mark: str) -> None:
        if len(self._stack) > _MAX_DEPTH:
            raise GoError(f"more than {_MAX_DEPTH:,} levels")
        self._stack.append((_JsonObject() if mark == "{" else [], self._key))
        self._want = "key}" if mark == "{" else "value]"

    def _add(self, key: str, value: Any) -> None:
        if self._spanning and len(self._stack) == 2:
            self.spans.append(self._text[self._start : self._at].encode("utf-8", "surrogateescape"))
        into = self._stack[-1][0]
        into.append((key, value) if isinstance(into, _JsonObject) else value)
        self._want = "end" if len(self._stack) == 1 else ",}" if isinstance(into, _JsonObject) else ",]"

    def _error(self, at: int) -> GoError:
        rest = self._text[at:].lstrip(_SPACE)
        at = len(self._text) - len(rest)
        return GoError(f"invalid JSON at character {at:,}: {brief(rest[:20]) if rest else 'it ends'}")


def _literal(quoted: str | None, number: str | None, word: str | None) -> Any:
    if quoted is not None:
        return _string(quoted)
    return _Number(number) if number else {"true": True, "false": False, "null": None}[word or ""]


def _string(quoted: str) -> str:
    """Return the text of a JSON string, with invalid Unicode replaced as Go does."""
    if "\\" in quoted:
        return _Escaped(_NOT_UNICODE.sub("\ufffd", json.loads(f'"{quoted}"')))
    return quoted if quoted.isascii() else _NOT_UNICODE.sub("\ufffd", quoted)


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    """Return the fields of *kind* by their folded names."""
    return {each.encode_name.lower(): each for each in msgspec.structs.fields(kind)}


def _fold(key: str) -> str:
    return key.translate(_FOLDED).lower() if not key.isascii() else key.lower()


class _Reader:
    """Converts parsed JSON to Structs; *notes* lists ambiguous keys, as decode() returns them."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def struct(self, kind: type[_Kind], raw: Any, old: _Kind | None, where: str) -> _Kind:
        """Convert the object *raw* to a *kind*; fields that it lacks take their values from *old*."""
        if raw is None:
            return kind() if old is None else old
        if not isinstance(raw, _JsonObject):
            raise GoError(f"{_at(where)}{_called(raw)}, want an object")
        fields, seen = _fields(kind), set[str]()
        values = {} if old is None else {each: getattr(old, each) for each in kind.__struct_fields__}
        for key, value in raw:
            field = fields.get(_fold(key))
            if field is None:
                continue
            name = field.encode_name
            if key != name:
                self._note(f"{brief(key)} is read as {name}")
            if name in seen:
                self._note(f"{name} appears twice, and the last one counts")
            seen.add(name)
            made = self._value(field.type, value, values.pop(field.name, None), f"{where}.{name}")
            if made is not None:
                values[field.name] = made
        return kind(**values)

    def _value(self, hint: Any, raw: Any, old: Any, where: str) -> Any:
        """Convert *raw* to the type *hint*; return None for Go's zero value."""
        pointer = typing.get_origin(hint) is types.UnionType
        wanted = next(each for each in typing.get_args(hint) if each is not types.NoneType) if pointer else hint
        form = typing.get_origin(wanted) or wanted
        if raw is None:  # null resets types that can be nil in Go, and leaves others unchanged
            nil = form in {list, tuple, dict, bytes, Time} or (pointer and issubclass(form, msgspec.Struct))
            return None if nil else old
        if form in {list, tuple}:
            return self._list(form, typing.get_args(wanted)[0], raw, old, where)
        if form is dict:
            return self._map(typing.get_args(wanted)[1], raw, old, where)
        if issubclass(form, msgspec.Struct):
            return self.struct(form, raw, old, where)
        try:
            return _SCALARS[form](raw)
        except GoError as error:
            raise GoError(f"{_at(where)}{error}") from None

    def _list(self, form: Any, hint: Any, raw: Any, old: Any, where: str) -> Any:
        if not isinstance(raw, list) or isinstance(raw, _JsonObject):
            raise GoError(f"{_at(where)}{_called(raw)}, want an array")
        before = old or ()
        zero: Any = typing.get_origin(hint) or hint
        made = []
        for at, each in enumerate(raw):
            value = self._value(hint, each, before[at] if at < len(before) else None, f"{where}[{at}]")
            made.append(zero() if value is None else value)
        return form(made)

    def _map(self, hint: Any, raw: Any, old: Any, where: str) -> Any:
        if not isinstance(raw, _JsonObject):
            raise GoError(f"{_at(where)}{_called(raw)}, want an object")
        made = dict(old or {})
        seen = set[str]()
        for key, each in raw:
            if key in seen:
                self._note(f"{brief(key)} appears twice, and the last one counts")
            seen.add(key)
            value = self._value(hint, each, None, f"{where}[{brief(key)}]")
            made[str(key)] = hint() if value is None else value
        return made

    def _note(self, text: str) -> None:
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(text)


def _at(where: str) -> str:
    return f"{shorten(where.removeprefix('.'), 200)}: " if where else ""


def _called(raw: Any) -> str:
    """Return the type and text of a value, for an error."""
    if isinstance(raw, _JsonObject):
        return "got an object"
    if isinstance(raw, list):
        return "got an array"
    if isinstance(raw, _Number):
        return f"got the number {shorten(raw)}"
    return f"got the string {brief(str(raw))}" if isinstance(raw, str) else f"got {json.dumps(raw)}"


def _text(raw: Any) -> str:
    if not isinstance(raw, str) or isinstance(raw, _Number):
        raise GoError(f"{_called(raw)}, want a string")
    return str(raw)


def _integer(raw: Any) -> int:
    if not isinstance(raw, _Number):
        raise GoError(f"{_called(raw)}, want a number")
    digits = raw.removeprefix("-")
    if not digits.isdecimal() or len(digits) > 19 or not -(1 << 63) <= int(raw) < 1 << 63:
        raise GoError(f"{_called(raw)}, want an integer of 64 bits")
    return int(raw)


def _boolean(raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise GoError(f"{_called(raw)}, want true or false")
    return raw


def _bytes(raw: Any) -> bytes:
    """Return a string's base64 text without the line ends, which Go skips, or the bytes that an array lists."""
    if isinstance(raw, list) and not isinstance(raw, _JsonObject):
        numbers = [_integer(each) for each in raw if each is not None]
        if any(not 0 <= each < 256 for each in numbers) or any(each == "-0" for each in raw):
            raise GoError("want bytes, from 0 to 255")
        return bytes(numbers)
    text = _text(raw).translate({10: None, 13: None})
    if not _BASE64.fullmatch(text):
        raise GoError(f"{_called(raw)}, want base64")
    return text.encode("ascii")


def _time(raw: Any) -> Time:
    """Return a time; Go accepts hours of one digit, a decimal comma, and zones up to 24:60 (go.dev/issue/54580)."""
    found = _TIME.fullmatch(raw) if isinstance(raw, str) and not isinstance(raw, _Number | _Escaped) else None
    if found is None:
        raise GoError(f"{_called(raw)}, want a time as in RFC 3339, with its zone: 2006-01-02T15:04:05Z")
    year, month, day, hour, minute, second, *zone = (int(each or 0) for each in found.groups())
    try:
        datetime.datetime(2000 + year % 400, month, day, hour, minute, second, tzinfo=datetime.UTC)  # no year 0 there
    except ValueError as error:
        raise GoError(f"{_called(raw)}: {error}") from None
    if zone[0] > 24 or zone[1] > 60:
        raise GoError(f"{_called(raw)}, whose zone is out of range")
    return Time(raw)


_SCALARS: Final = {str: _text, int: _integer, bool: _boolean, bytes: _bytes, Time: _time}
