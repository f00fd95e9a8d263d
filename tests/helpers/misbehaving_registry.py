# SPDX-License-Identifier: Apache-2.0
"""A registry on the loopback address that answers as a test asks it to."""

import json
import threading
from collections.abc import Callable, Iterator

import pytest

from . import image_runs
from .registry_proxy import LoopbackServer, RegistryHandler
from .support import need


class Misbehaving(LoopbackServer):
    """A registry that stores pushes, unless *fault* answers the request and returns true."""

    def __init__(self, fault: Callable[["Handler"], bool]) -> None:
        super().__init__(Handler)
        self.fault = fault
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.early: list[str] = []  # what a manifest pointed at before it was there
        self.released = threading.Event()


class Handler(RegistryHandler):
    server: Misbehaving

    def take(self) -> None:
        path, _, query = self.path.partition("?")
        if self.server.fault(self):
            return
        data = self.read()
        last = path.rpartition("/")[2]
        if self.command == "POST":
            self.answer(202, Location="/v2/x/uploads/1")
        elif self.command == "PATCH":
            self.server.blobs[image_runs.sha256(data)] = data
            self.answer(202, Location="/v2/x/uploads/1")
        elif self.command == "PUT" and "/uploads/" in path:
            self.answer(201, Docker_Content_Digest=query.rpartition("=")[2].replace("%3A", ":"))
        elif self.command == "PUT":
            found = json.loads(data)
            needed = [*found.get("manifests", []), *found.get("layers", []), *filter(None, [found.get("config")])]
            there = {*self.server.blobs, *self.server.manifests}
            self.server.early += [each["digest"] for each in needed if each["digest"] not in there]
            self.server.manifests[last] = self.headers["Content-Type"], data
            self.answer(201, Docker_Content_Digest=image_runs.sha256(data))
        elif "/manifests/" in path and last in self.server.manifests:
            kind, data = self.server.manifests[last]
            self.answer(200, data, Content_Type=kind, Docker_Content_Digest=image_runs.sha256(data))
        else:
            self.answer(200 if path == "/v2/" else 404)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = take  # noqa: N815


@pytest.fixture
def misbehaving() -> Iterator[Callable[[Callable[[Handler], bool]], Misbehaving]]:
    need("skopeo")
    running: list[Misbehaving] = []

    def start(fault: Callable[[Handler], bool]) -> Misbehaving:
        running.append(Misbehaving(fault))
        threading.Thread(target=running[-1].serve_forever, daemon=True).start()
        return running[-1]

    yield start
    for server in running:
        server.released.set()
        server.shutdown()
        server.server_close()


Start = Callable[[Callable[[Handler], bool]], Misbehaving]
