# SPDX-License-Identifier: Apache-2.0
"""Inherit the configuration of a base image as a Dockerfile's FROM does; pure functions on JSON objects.

Sources: github.com/moby/moby builder/dockerfile dispatchers.go (ENTRYPOINT empties CMD; ENV, LABEL, EXPOSE and VOLUME
are merged); github.com/moby/buildkit frontend/dockerfile/shell equal_env_windows.go (names without case).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..base.errors import GeneratorError, counted, shorten

Json = dict[str, Any]

_MERGED = ("ExposedPorts", "Volumes", "Labels")  # by key


def settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Json:
    """Return the ``config`` object of an image: *old*, that of its base, overridden by *new*.

    Unknown fields of *old* stay. Raises GeneratorError if *old* has ONBUILD triggers, which only builders can run.
    """
    if triggers := old.get("OnBuild"):
        first = shorten(str(triggers[0]))
        raise GeneratorError(f"its configuration: ONBUILD {first} is for builds by Dockerfile; hint: build with docker")
    merged = {key: value for key, value in old.items() if key != "OnBuild"}
    if "Entrypoint" in new:
        merged.pop("Cmd", None)
    if "Entrypoint" in new or ("Cmd" in new and not old.get("Entrypoint")):
        merged.pop("ArgsEscaped", None)  # it describes the base's program
    for key, value in new.items():
        if key == "Env":
            merged[key] = environment(old.get(key) or (), value)
        elif key in _MERGED:
            merged[key] = {**(old.get(key) or {}), **value}
        else:
            merged[key] = value
    return merged


def environment(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Merge variables ``NAME=VALUE``: those of *new* replace those of *old* in place, whatever the case of names."""
    given = {_name(each): each for each in new}
    merged: dict[str, str] = {}
    for each in (*old, *new):
        merged[_name(each)] = given.get(_name(each), each)
    return list(merged.values())


def configuration(base: Mapping[str, Any], config: Json, layers: Sequence[tuple[str, str]], created: str) -> Json:
    """Return the configuration of an image whose base has the configuration *base*; *config* is its ``config`` object.

    *layers* holds the diff ID and the history's text of each layer on top, *created* the time in RFC 3339. All other
    fields of *base* stay, such as ``os.version``.
    """
    rootfs = base.get("rootfs") or {}
    ids = rootfs.get("diff_ids") or []
    history = _history(base, len(ids))
    history += [{"created": created, "created_by": text} for _, text in layers]
    changed: Json = {"created": created, "config": config}
    changed["rootfs"] = {**rootfs, "type": "layers", "diff_ids": [*ids, *(diff_id for diff_id, _ in layers)]}
    changed["history"] = history
    return {**base, **changed}


def _history(base: Mapping[str, Any], layers: int) -> list[Json]:
    """Return the history of *base*; an empty one gets an entry for each layer, so that entries and layers agree."""
    history: list[Json] = list(base.get("history") or ())
    if not history:
        return [{"comment": "layer of the base image"} for _ in range(layers)]
    made = sum(not each.get("empty_layer") for each in history)
    if made != layers:
        raise GeneratorError(f"its history: {counted(made, 'layer')}, of {layers:,}; hint: rebuild the base")
    return history


def _name(variable: str) -> str:
    return variable.partition("=")[0].upper()
