# SPDX-License-Identifier: Apache-2.0
"""Copies of modules in other projects: write, find, check and update them.

Takes committed blobs and templates, writes files elsewhere. Begin with vendor.py, then state.py.
"""
