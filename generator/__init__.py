# SPDX-License-Identifier: Apache-2.0
"""winscratch: generates Windows base layers and the source modules that embed them."""

VERSION = "0.2.0"
PROJECT = "https://winscratch.example"  # a placeholder until the project has an address
