# SPDX-License-Identifier: Apache-2.0
"""Choose who builds hives, docker, podman, this machine's hivex or this program, and have them built.

Settings from the environment, each optional:

- WINSCRATCH_ENGINE: auto, docker, podman, native or builtin;
- WINSCRATCH_TIMEOUT: seconds an image build or a run of the builder may take;
- WINSCRATCH_BASE_IMAGE: the image Dockerfile.hivex starts from;
- WINSCRATCH_BUILD_NETWORK: the network of the image build, such as host.

docker's and podman's own settings (DOCKER_HOST, DOCKER_BUILDKIT, CONTAINERS_CONF, …) reach them as they are.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from typing import Protocol

from ..base.process import ANSWER_SECONDS, AUTO_SECONDS, BUILD_SECONDS, RUN_SECONDS, EngineError
from ..base.settings import setting, timeout
from ..hives.model import Hive
from .accept import accept
from .builtin import BuiltinEngine
from .container import ContainerEngine
from .native import NativeEngine, find_python
from .wire import Built

ENGINES = ("auto", "docker", "podman", "native", "builtin")
FIXES = {
    "docker": "install or start docker, or set DOCKER_HOST",
    "podman": "install podman",
    "native": "on Debian apt-get install python3-hivex",
}

Say = Callable[[str], None]


class Engine(Protocol):
    """Something that builds hives."""

    @property
    def name(self) -> str:
        """What the user calls it: docker, podman, native or builtin."""

    def build(self, hives: Mapping[str, Hive]) -> Built:
        """Return *hives* as built, by id; raise EngineError when they cannot be."""


def check_name(name: str) -> None:
    """Raise EngineError unless *name* is one that ``--engine`` takes."""
    if name not in ENGINES:
        raise EngineError(f"--engine: there is no engine {name!r}; choose one of {', '.join(ENGINES)}")


def select(name: str | None, say: Say, *, witness: bool = False) -> Engine:
    """Return the engine called *name*, or by WINSCRATCH_ENGINE, or the first that works; *say* which it is.

    *say* takes one line for the user at a time; the engine keeps it for later news. A *witness* is
    to be another than this program, so that two agree on what is built. Raises EngineError when
    the name or another setting is wrong, or when the engine cannot work.
    """
    source, wanted = ("--engine", name) if name is not None else ("WINSCRATCH_ENGINE", setting("ENGINE") or "auto")
    if wanted not in ENGINES:
        raise EngineError(f"{source}: there is no engine {wanted!r}; choose one of {', '.join(ENGINES)}")
    if witness and wanted == "builtin":
        raise EngineError(f"{source} builtin: it cannot vouch for itself; choose one of {', '.join(ENGINES[:-1])}")
    seconds = timeout()
    if wanted != "auto":
        try:
            return _usable(wanted, seconds, say, ANSWER_SECONDS)
        except EngineError as error:
            raise EngineError(f"{source} {wanted}: {error}; {FIXES[wanted]}, or choose another engine") from error
    reasons = []
    for candidate in ENGINES[1:-1] if witness else ENGINES[1:]:
        try:
            return _usable(candidate, seconds, say, AUTO_SECONDS)
        except EngineError as error:
            reasons.append(f"{candidate}: {error}")
    raise EngineError(f"no engine here can vouch for hives ({'; '.join(reasons)}); {', or '.join(FIXES.values())}")


def _usable(name: str, seconds: int | None, say: Say, patience: float) -> Engine:
    """Return the engine called *name* after asking whether it works; raise EngineError with the reason if not."""
    if name == "builtin":
        say("engine: builtin (hivex has no part in it)")
        return BuiltinEngine()
    if not hasattr(os, "killpg"):  # nor the rest that a run which must end in time is made of
        raise EngineError("this system is not one that engines are started on")
    if name == "native":
        native = NativeEngine(find_python(), run_seconds=seconds or RUN_SECONDS)
        say(f"engine: native ({native.python})")
        return native
    if shutil.which(name) is None:
        raise EngineError(f"there is no program {name} on PATH")
    engine = ContainerEngine(
        name,
        say,
        run_seconds=seconds or RUN_SECONDS,
        build_seconds=seconds or BUILD_SECONDS,
        base=setting("BASE_IMAGE"),
        network=setting("BUILD_NETWORK"),
    )
    details = [engine.probe_docker(patience) if name == "docker" else engine.probe_podman()]
    if name == "docker" and "DOCKER_HOST" in os.environ:
        details.append(os.environ["DOCKER_HOST"])
    say(f"engine: {name} ({', '.join(details)})")
    return engine


def build_hives(engine: Engine, hives: Mapping[str, Hive], say: Say | None = None) -> dict[str, bytes]:
    """Return each hive of *hives* as *engine* builds it: the bytes of a regf file by the hive's id.

    *say* is told how many are being built. Raises EngineError when the engine fails, and
    GeneratorError for a hive that is not, byte for byte, the one that was asked for.
    """
    if say:
        say(f"building {len(hives)} hive{'s' * (len(hives) != 1)}")
    built = engine.build(hives)
    for name, hive in hives.items():
        version = f" (hivex {built.hivex})" if built.hivex else ""
        accept(name, built.hives[name], hive, f"engine {engine.name}{version}")
    return built.hives
