# SPDX-License-Identifier: Apache-2.0
"""Errors, console, files, locks, signals and processes: the helpers that every room may import.

Imports no other room. Begin with errors.py (GeneratorError), then console.py and files.py.
"""
