# SPDX-License-Identifier: Apache-2.0
"""Do work on many items at once, and yield the results in the order of the items.

Only one thread of a process executes Python code at a time, so several processes do it faster. They are forks, to
which items need not be sent. A fork copies only one thread, so processes that have more use threads instead.
"""

import collections
import contextlib
import itertools
import mmap
import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Item, memoryview], Result]

_MOST_WORKERS = 8  # more only take memory, since one process hashes and writes
_WAITING = 3  # results of each worker that may wait to be taken
MEMORY = 5 << 18  # bytes for one result; larger ones go through a pipe
_THREADS = Path("/proc/self/task")


class EndedError(Exception):
    """A worker ended before its work was done, for instance since there was too little memory."""


class _Slot(NamedTuple):
    """Shared memory for one result: what the work writes to, and the bytes of the result's buffers."""

    memory: memoryview
    buffers: memoryview


class _Worker(NamedTuple):
    """A process, the parent's end of its pipe, and the memory that they share."""

    process: BaseProcess
    pipe: Connection
    slots: Sequence[_Slot]


def ordered(work: Work[Item, Result], items: Sequence[Item]) -> Iterator[tuple[Result, memoryview]]:
    """Yield ``work(item, memory)`` for each of *items*, with the *memory* that *work* has written to.

    The memory and the bytes of a PickleBuffer in the result are valid until the next result is taken. Raises what
    *work* raises, and EndedError.
    """
    count = min(_cores(), _MOST_WORKERS, len(items))
    workers = _forked(work, items, count) if count > 1 and _can_fork() else []
    if not workers:
        yield from in_threads(work, items)
        return
    try:
        for number in range(len(items)):
            worker = workers[number % count]
            slot = worker.slots[number // count % _WAITING]
            try:
                result = _received(worker.pipe, slot)
            except (EOFError, OSError) as error:
                raise EndedError from error
            if isinstance(result, BaseException):
                raise result
            yield result, slot.memory
            if number + count * _WAITING < len(items):
                with contextlib.suppress(OSError):  # it has ended: seen when its next result is taken
                    worker.pipe.send_bytes(b"")
    finally:
        _stop(workers)


def in_threads(work: Work[Item, Result], items: Iterable[Item]) -> Iterator[tuple[Result, memoryview]]:
    """Yield what ordered() yields, and take *items* only as they are needed."""
    threads = min(_cores(), _MOST_WORKERS)
    waiting: collections.deque[tuple[Future[Result], memoryview]] = collections.deque()
    free = [memoryview(bytearray(MEMORY)) for _ in range(threads + _WAITING)]
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            memory = free.pop()
            waiting.append((pool.submit(work, item, memory), memory))
            if not free:
                yield from _taken(waiting, free)
        while waiting:
            yield from _taken(waiting, free)
    finally:
        pool.shutdown(cancel_futures=True)


def _taken(
    waiting: collections.deque[tuple[Future[Result], memoryview]], free: list[memoryview]
) -> Iterator[tuple[Result, memoryview]]:
    """Yield the first result that waits; then its memory is free."""
    future, memory = waiting.popleft()
    yield future.result(), memory
    free.append(memory)


def _forked(work: Work[Item, Any], items: Sequence[Item], count: int) -> list[_Worker]:
    """Start *count* processes that share the work; return none if the system has no memory or processes for them."""
    context = multiprocessing.get_context("fork")
    workers: list[_Worker] = []
    try:
        for first in range(count):
            slots = [_Slot(*(memoryview(mmap.mmap(-1, MEMORY)) for _ in range(2))) for _ in range(_WAITING)]
            ours, theirs = context.Pipe()
            # What is open in a worker keeps a pipe open, so the workers would not see that the parent has ended.
            others = [ours, *(worker.pipe for worker in workers)]
            arguments = (work, items[first::count], theirs, slots, others)
            process = context.Process(target=_serve, args=arguments, daemon=True)
            workers.append(_Worker(process, ours, slots))
            process.start()
            theirs.close()
    except OSError:
        _stop(workers)
        return []
    return workers


def _stop(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.pipe.close()
        if worker.process.pid is not None:
            worker.process.terminate()
            worker.process.join()


def _serve(
    work: Work[Item, Any],
    items: Sequence[Item],
    pipe: Connection,
    slots: Sequence[_Slot],
    others: Sequence[Connection],
) -> None:
    """Send the result of each of *items* while one of *slots* is free: what a worker does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)
    for other in others:
        other.close()
    with contextlib.suppress(EOFError, OSError):  # the parent has ended
        for number, item in enumerate(items):
            slot = slots[number % _WAITING]
            if number >= _WAITING:
                pipe.recv_bytes()
            try:
                result = work(item, slot.memory)
            except BaseException as error:  # the parent raises it
                result = error
            _send(pipe, result, slot.buffers)


def _send(pipe: Connection, result: object, memory: memoryview) -> None:
    """Send a result, the bytes of its buffers through *memory* if they fit."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(result, 5, buffer_callback=buffers.append)
    ends = list(itertools.accumulate(buffer.raw().nbytes for buffer in buffers))
    if ends and ends[-1] > len(memory):
        ends, data = [], pickle.dumps(result, 5)
    for start, end, buffer in zip([0, *ends], ends, buffers, strict=False):
        memory[start:end] = buffer.raw()
    pipe.send((data, ends))


def _received(pipe: Connection, slot: _Slot) -> Any:
    data, ends = pipe.recv()
    buffers = [slot.buffers[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return pickle.loads(data, buffers=buffers)  # noqa: S301 - from our own process


def _can_fork() -> bool:
    """Return whether this process is on Linux and has only one thread, those of libraries included."""
    if sys.platform != "linux" or multiprocessing.current_process().daemon:
        return False
    try:
        return len([*_THREADS.iterdir()]) == 1
    except OSError:
        return False


def _cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
