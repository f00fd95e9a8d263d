# SPDX-License-Identifier: Apache-2.0
"""How containerd, hcsshim and Windows find and start an image's program, as pure functions without I/O.

They take an image's settings and its files, and return problems; `image` prints warnings, `check-image` has levels.
Begin with start.py, which searches the program as each kind of node does; settings.py checks the rest.
"""
