# SPDX-License-Identifier: Apache-2.0
"""The rooms that the program is divided into, as they are: which imports which, and what no room may import."""

import ast
import graphlib
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "generator"
Rooms = dict[str, set[str]]


def room_of(module: str) -> str:
    """Return the room of a module, given relative to the package; empty for the package itself."""
    name = module.partition(".")[0]
    return "cli" if name == "__main__" else name


def files() -> dict[str, set[str]]:
    """Return each module of the program, relative to the package, with the modules that it imports, lazily too."""
    paths = {path: path.relative_to(PACKAGE).with_suffix("").parts for path in sorted(PACKAGE.rglob("*.py"))}
    names = {".".join(parts).removesuffix("__init__").rstrip("."): path for path, parts in paths.items()}
    found: dict[str, set[str]] = {}
    for name, path in names.items():
        package = paths[path][:-1]
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = [*package[: len(package) - node.level + 1], *([node.module] if node.module else [])]
                targets = (".".join([*base, each.name]) for each in node.names)
                imported = {target if target in names else ".".join(base) for target in targets}
                found.setdefault(name, set()).update(imported - {name})
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return the nodes of a circle in *graph*, first and last the same, or an empty list."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def upward(graph: dict[str, set[str]], floors: Iterable[Iterable[str]]) -> list[str]:
    """Return the imports in *graph*, as `module -> module`, between rooms that do not lead down to a lower floor."""
    height = {room: number for number, floor in enumerate(floors) for room in floor}
    return [
        f"{module} -> {target}"
        for module, targets in graph.items()
        for target in sorted(targets)
        if (own := module.partition(".")[0]) != (other := target.partition(".")[0])
        if own in height and other in height and height[other] <= height[own]
    ]


def layers() -> list[list[str]]:
    """Return the floors of pyproject.toml's contract, from the highest down, each with its rooms."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    return [floor.split(" | ") for each in contracts if each["type"] == "layers" for floor in each["layers"]]


def rooms() -> Rooms:
    """Return each room, with the rooms that its modules import, wherever in them."""
    found: Rooms = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            own = room_of(parts[0])
            imported = {room_of(name) for name in _imports(path, parts[:-1])}
            found.setdefault(own, set()).update(imported - {own, ""})
    return found


def _imports(path: Path, package: tuple[str, ...]) -> Iterator[str]:
    """Yield the modules of the program that *path*, in *package*, imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            start = package[: len(package) - node.level + 1]
            base = ".".join([*start, *([node.module] if node.module else [])])
            # from . import x, y: each is a module, but for what the package itself defines.
            yield from [base] if base else [n.name for n in node.names if n.name.islower()]


def below(graph: Rooms, room: str) -> set[str]:
    """Return the rooms that *room* imports, and those that they import; raises RecursionError for a circle."""
    return graph[room].union(*(below(graph, each) for each in graph[room]))


def picture() -> str:
    """Return the rooms as a Mermaid flowchart of imports, without base and the arrows that others imply."""
    graph = {room: imported - {"base"} for room, imported in rooms().items() if room != "base"}
    lines = ["flowchart TD"]
    for room in sorted(graph, key=lambda room: (-len(below(graph, room)), room)):
        nearest = graph[room] - {far for near in graph[room] for far in below(graph, near)}
        lines.append(f"    {room} --> {' & '.join(sorted(nearest))}" if nearest else f"    {room}")
    return "\n".join(lines)


def table() -> Iterable[list[str]]:
    """Yield each room, what it is for by its own first sentence, and what it imports."""
    graph = rooms()
    yield ["room", "is", "imports"]
    for room in sorted(graph, key=lambda room: (-len(below(graph, room)), room)):
        yield [f"`{room}`", _first_sentence(room), ", ".join(sorted(graph[room])) or "nothing"]


def _first_sentence(room: str) -> str:
    text = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text("utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("``", "`")


def walls() -> Iterable[list[str]]:
    """Yield what import-linter holds: each wall, and what may not be imported across it."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    yield ["wall", "so it does not import"]
    for contract in contracts:
        if contract["type"] == "layers":
            yield [contract["name"], "anything above it: " + ", ".join(contract["layers"]).replace(" | ", " or ")]
            continue
        names = sorted(name.removeprefix("generator.") for name in contract["forbidden_modules"])
        yield [contract["name"], ", ".join(names)]
