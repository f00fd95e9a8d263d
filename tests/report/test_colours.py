# SPDX-License-Identifier: Apache-2.0
"""The byte map's colours contrast with the background and with each other, with any kind of colour blindness."""

import math
from itertools import combinations

import pytest

from generator.report.colours import INK, LOOKS, PAPER
from generator.views.regions import GROUPS

Matrix = tuple[tuple[float, ...], ...]

# Simulated colour blindness on linear RGB: Machado, Oliveira and Fernandes, 2009, at full severity.
EYES: dict[str, Matrix] = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no long waves": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "no middle waves": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "no short waves": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
# Linear light to Oklab, which is perceptually uniform: B. Ottosson, 2020.
CONES: Matrix = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
OKLAB: Matrix = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
LEAST = 0.05  # a difference of 0.02 is just visible


def times(matrix: Matrix, vector: list[float]) -> list[float]:
    """Return the product of a matrix and a vector."""
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def linear(colour: str) -> list[float]:
    """Return a colour's red, green and blue in linear light."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def oklab(light: list[float]) -> list[float]:
    """Return linear light as an Oklab colour."""
    return times(OKLAB, [math.cbrt(part) for part in times(CONES, light)])


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as WCAG 2.2 defines it."""
    luminances = [times(((0.2126, 0.7152, 0.0722),), linear(colour))[0] + 0.05 for colour in (one, other)]
    return max(luminances) / min(luminances)


def test_every_group_has_colours_and_a_unique_pattern() -> None:
    assert list(LOOKS) == list(GROUPS)
    assert len({look.pattern for look in LOOKS.values()}) == len(LOOKS)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_each_colour_contrasts_with_its_background(mode: int) -> None:
    assert contrast(INK[mode], PAPER[mode]) >= 7
    for name, look in LOOKS.items():
        assert contrast(str(look[mode]), PAPER[mode]) >= 3, name


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("eye", EYES)
def test_no_two_colours_look_alike(mode: int, eye: str) -> None:
    seen = {}
    for name, look in LOOKS.items():
        seen[name] = oklab([min(1.0, max(0.0, part)) for part in times(EYES[eye], linear(str(look[mode])))])
    for one, other in combinations(seen, 2):
        assert math.dist(seen[one], seen[other]) >= LEAST, (one, other)
