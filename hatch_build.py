# SPDX-License-Identifier: Apache-2.0
"""What the build of the package refuses: to install a checkout in place, as its package has another name there."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BuildHook(BuildHookInterface[Any]):
    """Ends a build that cannot work."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's
        """End an editable build with one line."""
        if version == "editable":
            raise SystemExit("winscratch cannot be installed in place: leave out -e, or run ./invokew in the checkout")
