# SPDX-License-Identifier: Apache-2.0
"""Random layers for `extract`, with a model of the merged tree beside them."""

import random
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from .layouts import Part, directory

NAMES = ("a", "bb", "c c", "größe", "d.txt", "E")
Tree = dict[str, bytes | None]  # content by path; None is a directory


class RandomImage:
    """Layers of files, directories, hard links and whiteouts, and the *tree* of all of them, as the seed decides.

    *spell* changes the spelling of each name, which Windows ignores in case.
    """

    def __init__(self, seed: int, layers: int, spell: Callable[[str], str] = str) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - the same images for everybody
        self._spell = spell
        self.tree: Tree = {"Files": None}
        self.layers = [self._layer() for _ in range(layers)]

    def _layer(self) -> list[Part]:
        lower = dict(self.tree)
        parts = [directory("Hives"), directory(self._spell("Files"))]
        self.tree["Hives"] = None
        own: set[str] = set()
        for path in self._whiteouts(lower):
            folder, _, name = path.rpartition("/")
            parts.append(Part(self._spell(f"{folder}/") + f".wh.{self._spell(name)}"))
            self._drop(path)
        removed = {each for each in lower if each not in self.tree}
        for _ in range(self._chance.randint(3, 12)):
            parts += self._addition(own, removed)
        return parts

    def _whiteouts(self, lower: Tree) -> Iterator[str]:
        for path in sorted(lower):
            if path.count("/") and path in self.tree and self._chance.random() < 0.12:
                yield path

    def _addition(self, own: set[str], removed: set[str]) -> Iterator[Part]:
        folder = self._chance.choice(
            sorted(path for path, data in self.tree.items() if data is None and path != "Hives")
        )
        path = f"{folder}/{self._chance.choice(NAMES)}"
        hidden = any(path == each or path.startswith(f"{each}/") for each in removed)
        if path in own or hidden or path.count("/") > 5 or self._mixed(path, own):
            return
        kind = self._chance.choice("ddffffhs")
        for parent in self._parents(path):
            if parent not in own:
                own.add(parent)
                yield directory(self._spell(parent))
        own.add(path)
        files = sorted(each for each in own - {path} if self.tree.get(each) is not None)
        if kind == "h" and files:
            target = self._chance.choice(files)
            self._drop(path)
            self.tree[path] = self.tree[target]
            yield Part(self._spell(path), b"", tarfile.LNKTYPE, self._spell(target), {})
        elif kind == "d":
            if self.tree.get(path, b"") is not None:
                self._drop(path)
            self.tree[path] = None
            yield directory(self._spell(path))
        else:
            self._drop(path)
            data = self._chance.randbytes(self._chance.choice((0, 1, 600, 70_000))) + b"\0" * 70_000 * (kind == "s")
            self.tree[path] = data
            yield Part(self._spell(path), data, records={}, time=self._chance.randrange(1 << 31))

    def _mixed(self, path: str, own: set[str]) -> bool:
        """Return whether *path* would replace what the same layer has, which importers do not agree on."""
        return any(each.startswith(f"{path}/") for each in own) or any(
            self.tree.get(parent, b"") is not None for parent in self._parents(path)
        )

    @staticmethod
    def _parents(path: str) -> list[str]:
        steps = path.split("/")
        return ["/".join(steps[:count]) for count in range(2, len(steps))]

    def _drop(self, path: str) -> None:
        for each in [each for each in self.tree if each == path or each.startswith(f"{path}/")]:
            del self.tree[each]


def on_disk(top: Path) -> Tree:
    """Return the tree of files and directories below the folder *top*."""
    return {path.relative_to(top).as_posix(): None if path.is_dir() else path.read_bytes() for path in top.rglob("*")}
