// SPDX-License-Identifier: Apache-2.0

//go:build windows

package main

import (
	"archive/tar"
	"encoding/base64"

	"github.com/Microsoft/go-winio/backuptar"
)

// onWindows returns what go-winio makes of a header, in the order in which hcsshim asks for it.
func onWindows(header *tar.Header) *Windows {
	_, size, info, err := backuptar.FileInfoFromHeader(header)
	if err != nil {
		return &Windows{Error: err.Error()}
	}
	found := &Windows{Size: size, Attributes: info.FileAttributes, Created: info.CreationTime.Nanoseconds()}
	if _, raw := header.PAXRecords["MSWINDOWS.rawsd"]; raw { // SDDL is for Windows itself to read, which wine is not
		descriptor, err := backuptar.SecurityDescriptorFromTarHeader(header)
		if err != nil {
			found.Error = err.Error()
		}
		found.Descriptor = base64.StdEncoding.EncodeToString(descriptor)
	}
	if _, err := backuptar.ExtendedAttributesFromTarHeader(header); err != nil {
		found.Error = err.Error()
	}
	return found
}
