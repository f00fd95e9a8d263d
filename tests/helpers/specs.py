# SPDX-License-Identifier: Apache-2.0
"""Specifications of layers in TOML, and the errors that refuse them."""

from collections.abc import Callable

import pytest

from generator.base.errors import GeneratorError
from generator.hives.model import Hive
from generator.layerspec import layer as spec

SHOWN = "generator/layers/sample.toml"
PATH = "Files/x"


def parse(text: str) -> spec.LayerSpec:
    """Return the layer of the TOML *text*."""
    return spec.parse("sample", text.encode("utf-8"), SHOWN)


def refusal(act: Callable[[], object]) -> str:
    """Return the error of *act*, one printable line."""
    with pytest.raises(GeneratorError) as refused:
        act()
    line = str(refused.value)
    assert line.isprintable()
    assert len(line) < 450
    return line


def file(content: str = "", path: str = PATH) -> str:
    """Return a layer of one file, with *content* as TOML below its path."""
    return f"[[files]]\npath = '{path}'\n{content}\n"


def hive(*keys: str) -> str:
    """Return a layer of one hive with *keys*, each an inline table."""
    return file(f"hive = {{ keys = [{', '.join(keys)}] }}")


def value(kind: str, data: str, name: str = "v") -> str:
    """Return a layer of one hive whose root key has one value."""
    return hive(f"{{ path = '', values = [{{ name = '{name}', type = '{kind}', data = {data} }}] }}")


def only_hive(layer: spec.LayerSpec) -> Hive:
    """Return the hive of a layer of one hive."""
    ((_, found),) = spec.hives(layer)
    return found
