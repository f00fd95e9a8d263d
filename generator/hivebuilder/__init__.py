# SPDX-License-Identifier: Apache-2.0
"""The program in the container: build registry hives with hivex from a JSON document.

Uses only the standard library and hivex, on Python 3.9 or later. Begin with __main__.py.
"""
