#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The program for Windows, and its image: into a folder, or where the first word says, docker://registry.example/hello:1
set -eu
GOOS=windows GOARCH=amd64 CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o hello.exe .
winscratch image hello.exe --entrypoint hello.exe --to "${1:-oci:image:latest}"
