# SPDX-License-Identifier: Apache-2.0
"""Proxies before a registry on the loopback address: one counts bytes, one sees and changes requests."""

import contextlib
import http.client
import os
import signal
import socket
import threading
import urllib.error
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler
from typing import TYPE_CHECKING, Any, TypeVar

from .support import HANG, wait_until

if TYPE_CHECKING:
    import subprocess

_PIECE = 1 << 16


class Traffic:
    """Counts the bytes that clients and the registry *upstream* exchange; *host* is its own name."""

    def __init__(self, upstream: str, address: str = "127.0.0.1", name: str = "localhost") -> None:
        self.bytes = 0
        self._upstream = int(upstream.rpartition(":")[2])
        self._lock = threading.Lock()
        self._socket = socket.create_server((address, 0))
        self.host = f"{name}:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._socket.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE):
                with self._lock:
                    self.bytes += len(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()


class LoopbackServer(ThreadingHTTPServer):
    """An HTTP server on a free port of the loopback address, or of another *address* of this machine."""

    daemon_threads = True
    request_queue_size = socket.SOMAXCONN  # with the default of 5, Linux drops connections while a busy machine waits

    def __init__(self, handler: Callable[..., BaseRequestHandler], address: str = "127.0.0.1") -> None:
        super().__init__((address, 0), handler)

    @property
    def host(self) -> str:
        return f"localhost:{self.server_address[1]}"

    def handle_error(self, *_: Any) -> None:
        """Ignore clients that close the connection."""


class RegistryHandler(BaseHTTPRequestHandler):
    """Reads requests, and answers them, as a registry does."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, status: int, data: bytes = b"", **headers: str) -> None:
        """Answer with *headers*, by names with _ in place of -."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


class Proxy(LoopbackServer):
    """Passes requests on to the registry *upstream*, unless *fault* answers one and returns true."""

    def __init__(self, upstream: str, fault: Callable[["ProxyHandler"], bool]) -> None:
        super().__init__(ProxyHandler)
        self.upstream = upstream
        self.fault = fault
        self.asked: list[str] = []  # method and path of each request
        threading.Thread(target=self.serve_forever, daemon=True).start()


class ProxyHandler(RegistryHandler):
    server: Proxy

    def passed(self, change: Callable[[bytes], bytes] = bytes) -> None:
        """Pass the request on, and the answer back, its body changed."""
        upstream = http.client.HTTPConnection(self.server.upstream)
        body = self.read()
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():  # of which some have several
            if name.lower() not in {"transfer-encoding", "content-length"}:
                upstream.putheader(name, value)
        upstream.putheader("Content-Length", str(len(body)))
        upstream.endheaders(body)
        answer = upstream.getresponse()
        data = change(answer.read())
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"content-length", "transfer-encoding"} or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        upstream.close()

    def take(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        if not self.server.fault(self):
            self.passed()

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = take  # noqa: N815


class Killer:
    """A fault of a proxy: kills the process group of run() at the request number *at*."""

    def __init__(self) -> None:
        self._at = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._lock = threading.Lock()

    def run(self, server: Proxy, at: int, start: "Callable[[], subprocess.Popen[bytes]]") -> None:
        """Run a process to its end, or to the request number *at* since its start.

        Programs that a killed process started may still ask meanwhile.
        """
        server.asked.clear()
        self._at, self._killed = at, False
        self._process = start()
        status = self._process.wait(HANG)
        with self._lock:
            self._process = None
            assert status == (-signal.SIGKILL if self._killed else 0)

    def fault(self, handler: ProxyHandler) -> bool:
        with self._lock, contextlib.suppress(ProcessLookupError):  # it has ended
            if self._process and len(handler.server.asked) == self._at:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._killed = True
        return False


_Answer = TypeVar("_Answer")


def patiently(question: Callable[[], _Answer]) -> _Answer:
    """Ask a registry that may still work on a request of a killed client, when it answers with the status 500."""
    answers: list[_Answer] = []

    def asked() -> bool:
        try:
            answers.append(question())
        except urllib.error.HTTPError as error:
            if error.code != 500:
                raise
        return bool(answers)

    wait_until(asked)
    return answers[0]


@contextlib.contextmanager
def proxy(upstream: str, fault: Callable[[ProxyHandler], bool] = lambda _: False) -> Iterator[Proxy]:
    """Run a proxy."""
    server = Proxy(upstream, fault)
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
