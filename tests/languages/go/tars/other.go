// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package main

import "archive/tar"

func onWindows(*tar.Header) *Windows { return nil }
