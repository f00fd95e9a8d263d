# SPDX-License-Identifier: Apache-2.0
"""Windows images made from files and folders, on a base layer of ours."""
