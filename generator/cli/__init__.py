# SPDX-License-Identifier: Apache-2.0
"""The command line: the table of commands, its parsers for Invoke and argparse, and shell completion.

The one room that knows all others. Begin with commands.py (the table), then handlers.py (what each command calls).
"""
