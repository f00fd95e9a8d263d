// Code generated from templates/go; DO NOT EDIT.
//
// SPDX-License-Identifier: 0BSD

package legacy_test

import (
	"fmt"
	"io"
	"log"

	"winscratch.example/layers/legacy"
)

// Hands the blob to a registry client: the digests and the size are constants.
func Example() {
	if err := legacy.Verify(); err != nil {
		log.Fatal(err)
	}
	blob, err := legacy.OpenCompressed()
	if err != nil {
		log.Fatal(err)
	}
	defer blob.Close()
	size, err := io.Copy(io.Discard, blob)
	fmt.Println(legacy.MediaType, size == legacy.BlobSize, err)
	// Output: application/vnd.oci.image.layer.v1.tar+gzip true <nil>
}
