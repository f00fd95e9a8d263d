# SPDX-License-Identifier: Apache-2.0
"""Join the configuration of an image with that of its new base, as documents without I/O.

A value that the image has from its old base follows the new base; a value that the image set itself stays.
"""

from typing import Any, Final, NamedTuple

from ..base.errors import shorten

Json = dict[str, Any]

_PLATFORM: Final = ("architecture", "os", "variant", "os.features")  # always the new base's
_VERSION: Final = "os.version"
_MADE: Final = ("rootfs", "history", "config", "created", _VERSION, *_PLATFORM)  # not joined by value
_PROGRAM: Final = ("Entrypoint", "Cmd")
_RAW: Final = "ArgsEscaped"
_MAPS: Final = ("Labels", "ExposedPorts", "Volumes")
_MOST: Final = 200  # characters of a value in a line


def join(image: Json, old: Json, new: Json) -> tuple[Json, list[str]]:
    """Return the configuration of *image*, whose base *old* is replaced by *new*, without rootfs and history.

    Returns also a line for each value that changed, or that the image keeps although its base's changed.
    """
    joining = _Joining([])
    ours, before, after = (_given(each) for each in (image, old, new))
    found: Json = {key: ours[key] for key in ("created",) if key in ours}
    found |= {key: after[key] for key in _PLATFORM if key in after}
    own = None if ours.get(_VERSION) == before.get(_VERSION) else ours.get(_VERSION)
    if version := after.get(_VERSION) or own:
        found[_VERSION] = version
    for key in (*_PLATFORM, _VERSION):
        joining.tell(key, ours.get(key), found.get(key))
    found["config"] = joining.settings(*(_given(each.get("config") or {}) for each in (ours, before, after)))
    rest = ({key: each[key] for key in each.keys() - {*_MADE}} for each in (ours, before, after))
    return found | joining.fields("", *rest), joining.changes


class _Joining(NamedTuple):
    changes: list[str]

    def settings(self, image: Json, old: Json, new: Json) -> Json:
        """Return the ``config`` object."""
        found = self._program(image, old, new)
        if env := self._env(image, old, new):
            found["Env"] = env
        for key in _MAPS:
            if joined := self.fields(f"{key} ", *(each.get(key) or {} for each in (image, old, new))):
                found[key] = joined
        known = {*_PROGRAM, _RAW, "Env", *_MAPS}
        rest = ({key: each[key] for key in each.keys() - known} for each in (image, old, new))
        return dict(sorted(_given(found | self.fields("", *rest)).items()))

    def fields(self, prefix: str, image: Json, old: Json, new: Json) -> Json:
        """Return the values of an object, each joined by itself, sorted by their names."""
        found: Json = {}
        for key in sorted({*image, *old, *new}):
            value = self.joined(prefix + key, image.get(key), old.get(key), new.get(key))
            if value is not None:
                found[key] = value
        return found

    def joined(self, name: str, image: Any, old: Any, new: Any) -> Any:
        """Return the value of a field, None if it has none, and add a line about it."""
        value = new if image == old else image
        self.tell(name, image, value)
        if value == image and new not in (old, image):
            self.changes.append(f"{name}: stays {_shown(image)}; the base's was {_shown(old)}, and is {_shown(new)}")
        return value

    def tell(self, name: str, before: Any, after: Any) -> None:
        """Add a line for a value that changed."""
        if before != after:
            self.changes.append(f"{name}: {_shown(before)} becomes {_shown(after)}")

    def _program(self, image: Json, old: Json, new: Json) -> Json:
        """Return entry point and arguments: with an entry point of its own, an image has no arguments of its base.

        Docker, "Understand how CMD and ENTRYPOINT interact": the base's CMD is reset.
        """
        own = image.get("Entrypoint") != old.get("Entrypoint")
        changed = own or image.get("Cmd") != old.get("Cmd")
        found: Json = {}
        for key in _PROGRAM:
            others = (image.get(key), image.get(key)) if own else (old.get(key), new.get(key))
            found[key] = self.joined(key, image.get(key), *others)
        raw = (image if changed else new).get(_RAW)
        self.tell(_RAW, image.get(_RAW), raw)
        return found | {_RAW: raw}

    def _env(self, image: Json, old: Json, new: Json) -> list[str]:
        """Return the variables, the base's first, by names without case, as Windows has them."""
        ours, before, after = (_variables(each.get("Env") or []) for each in (image, old, new))
        found: dict[str, str | None] = {}
        for name in (*after, *(name for name in ours if name not in after), *before):
            if name in found:
                continue
            texts = [each.get(name) for each in (ours, before, after)]
            values = [None if text is None else text.partition("=")[2] for text in texts]
            value = self.joined(f"Env {name}", *values)
            source = texts[2] if values[0] == values[1] else texts[0]
            found[name] = source if value is not None else None
        return [text for text in found.values() if text is not None]


def _variables(env: list[str]) -> dict[str, str]:
    """Return the texts of variables by their names in upper case; the last of one name counts, as for Windows."""
    return {text.partition("=")[0].upper(): text for text in env}


def _given(fields: Json) -> Json:
    """Return *fields* without empty ones, which Go decodes as missing ones."""
    return {key: value for key, value in fields.items() if value not in (None, "", [], {}, False)}


def _shown(value: Any) -> str:
    return shorten("none" if value is None else value if isinstance(value, str) and value else repr(value), _MOST)
