# SPDX-License-Identifier: Apache-2.0
"""winscratch: generates Windows base layers and the source modules that embed them."""

VERSION = "0.1.0"
