# SPDX-License-Identifier: Apache-2.0
"""The program inside the container: builds registry hives with hivex from a JSON document.

Self-contained: the standard library and hivex, Python 3.9 or later, nothing from the rest of winscratch.
"""
