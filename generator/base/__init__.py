# SPDX-License-Identifier: Apache-2.0
"""Errors, console, files, git, locks and processes: the helpers that every room may import.

Takes and returns bytes, text and paths; imports no other room. Begin with errors.py, reading.py and files.py.
"""
