# SPDX-License-Identifier: Apache-2.0
"""A registry on the loopback address that answers as a test asks it to."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from . import image_runs
from .support import need


class Misbehaving(ThreadingHTTPServer):
    """A registry that stores pushes, unless *fault* answers the request and returns true."""

    daemon_threads = True

    def __init__(self, fault: Callable[["Handler"], bool]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.fault = fault
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.early: list[str] = []  # what a manifest pointed at before it was there
        self.released = threading.Event()

    @property
    def host(self) -> str:
        return f"localhost:{self.server_address[1]}"

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that go."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Misbehaving

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, status: int, data: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def take(self) -> None:
        path, _, query = self.path.partition("?")
        if self.server.fault(self):
            return
        data = self.body()
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
