# SPDX-License-Identifier: Apache-2.0
"""Hives of the committed layers and random ones, and comparison of an engine with layout."""

import gzip
import io
import tarfile
from collections.abc import Mapping
from functools import cache
from random import Random

from generator.builder import choose
from generator.builder.wire import ROOT
from generator.hives.layout import lay_out
from generator.hives.model import MAX_DATA, Hive, Key, Value, fold_name
from generator.layerspec import layer as spec

LAYERS = ("scratch", "hostprocess", "legacy")
ASCII = "".join(map(chr, range(0x20, 0x7F))).replace("\\", "")  # what a key's name may hold
ALPHABETS = (ASCII, "".join(map(chr, range(0xA0, 0x100))), "日本語レジストリ漢字かな", "😀🚀🧪", "aBéß日😀")
BATCH = 250  # plans in one request: an engine's answer is limited


@cache
def committed_hives() -> dict[str, tuple[bytes, Hive]]:
    """Return the bytes in the blob and the plan in the specification of each committed hive, by id."""
    found = {}
    for name in LAYERS:
        shown = f"generator/layers/{name}.toml"
        wanted = dict(spec.hives(spec.load(ROOT / shown, shown)))
        tar = gzip.decompress((ROOT / f"output/layers/{name}.tar.gz").read_bytes())
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            for path, plan in wanted.items():
                file = archive.extractfile(path)
                assert file is not None
                found[f"{name}:{path.rpartition('/')[2]}"] = file.read(), plan
    return found


def random_plan(seed: int) -> Hive:
    """Return a random plan as a specification allows it: up to 200 keys, names of every kind, data of any size."""
    random = Random(seed)  # noqa: S311 - to be repeated
    paths: dict[tuple[str, ...], tuple[str, ...]] = {(): ()}  # by the path in upper case, as Windows compares it
    shape = random.choice(("wide", "deep", "any", "any"))
    for _ in range(random.randint(0, random.choice((1, 10, 10, 30, 200)))):
        known = list(paths)
        parent = {"wide": known[0], "deep": known[-1], "any": random.choice(known)}[shape]
        name = _text(random, ASCII, random.choice((2, 8, 30, 255)))
        paths.setdefault((*parent, name.upper()), (*paths[parent], name))
    return tuple(Key(path, _values(random)) for path in paths.values())


def _values(random: Random) -> tuple[Value, ...]:
    found: dict[str, Value] = {}
    for _ in range(random.choice((0, 0, 1, 2, 5))):
        name = _text(random, random.choice(ALPHABETS), random.choice((4, 20, 300))) if random.random() < 0.9 else ""
        (largest,) = random.choices((9, 64, 5000, MAX_DATA), (60, 30, 9, 1))
        data = random.randbytes(random.randint(0, largest))
        found.setdefault(fold_name(name), Value(name, random.randint(0, 11), data))
    return tuple(found.values())


def _text(random: Random, alphabet: str, longest: int) -> str:
    return "".join(random.choices(alphabet, k=random.randint(1, longest)))


def assert_laid_out_alike(engine: choose.Engine, plans: Mapping[str, Hive]) -> None:
    """Assert that *engine* builds each plan as layout does; a failure names the plan and the first byte."""
    for name, theirs in engine.build(plans).hives.items():
        ours = lay_out(plans[name])
        if ours != theirs:
            at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), "the shorter's end")
            raise AssertionError(f"plan {name}: {len(ours)} and {len(theirs)} bytes, which differ from {at} on")


def assert_seeds_laid_out_alike(engine: choose.Engine, seeds: range) -> None:
    """Assert that *engine* builds the plan of each seed as layout does."""
    for start in range(0, len(seeds), BATCH):
        assert_laid_out_alike(engine, {f"of seed {n}": random_plan(n) for n in seeds[start : start + BATCH]})
