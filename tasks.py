# SPDX-License-Identifier: Apache-2.0
"""The tasks that Invoke offers in this checkout; generator/commands.py has the table that they are made of."""

from generator import invoking

namespace = invoking.collection()
