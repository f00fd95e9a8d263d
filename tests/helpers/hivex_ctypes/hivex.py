# SPDX-License-Identifier: Apache-2.0
"""As much of Debian's Python binding as the hive builder uses, for Pythons that the binding is not made for.

The library is the real one, libhivex; only the few lines between Python and C are these, by ctypes.
"""

import ctypes
import os
from typing import Any, List

_WRITE = 4  # hivex.h, HIVEX_OPEN_WRITE


class _Value(ctypes.Structure):
    _fields_ = [("key", ctypes.c_char_p), ("t", ctypes.c_int), ("len", ctypes.c_size_t), ("value", ctypes.c_char_p)]


_library = ctypes.CDLL("libhivex.so.0", use_errno=True)
_handle, _node = ctypes.c_void_p, ctypes.c_size_t
for _name, _result, _arguments in (
    ("open", _handle, (ctypes.c_char_p, ctypes.c_int)),
    ("root", _node, (_handle,)),
    ("node_add_child", _node, (_handle, _node, ctypes.c_char_p)),
    ("node_set_values", ctypes.c_int, (_handle, _node, ctypes.c_size_t, ctypes.POINTER(_Value), ctypes.c_int)),
    ("commit", ctypes.c_int, (_handle, ctypes.c_char_p, ctypes.c_int)),
    ("close", ctypes.c_int, (_handle,)),
):
    _function = getattr(_library, f"hivex_{_name}")
    _function.restype, _function.argtypes = _result, _arguments


class Hivex:
    """An open hive."""

    def __init__(self, filename: str, write: bool = False) -> None:
        self._hive = _library.hivex_open(filename.encode(), _WRITE if write else 0)
        self._good(self._hive)

    @staticmethod
    def _good(result: Any) -> Any:
        if not result:
            raise RuntimeError(os.strerror(ctypes.get_errno()))
        return result

    def root(self) -> int:
        return int(self._good(_library.hivex_root(self._hive)))

    def node_add_child(self, parent: int, name: str) -> int:
        return int(self._good(_library.hivex_node_add_child(self._hive, parent, name.encode())))

    def node_set_values(self, node: int, values: List[Any]) -> None:
        array = (_Value * len(values))(
            *(_Value(v["key"].encode(), v["t"], len(v["value"]), v["value"]) for v in values)
        )
        self._good(_library.hivex_node_set_values(self._hive, node, len(values), array, 0) == 0)

    def commit(self, filename: None) -> None:
        self._good(_library.hivex_commit(self._hive, filename, 0) == 0)

    def __del__(self) -> None:
        if self._hive:
            _library.hivex_close(self._hive)
