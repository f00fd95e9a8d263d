// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"fmt"

	"winscratch.example/layers/scratch"
)

// verify tells whether a vendored layer still is what its constants say.
func verify() error {
	for digest, data := range map[string]string{scratch.DiffID: scratch.Layer, scratch.Digest: scratch.Blob} {
		if found := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(data))); found != digest {
			return fmt.Errorf("the layer was changed: %s, not %s", found, digest)
		}
	}
	return nil
}
