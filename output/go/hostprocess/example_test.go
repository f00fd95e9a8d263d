// Code generated from templates/go; DO NOT EDIT.
//
// SPDX-License-Identifier: 0BSD

package hostprocess_test

import (
	"fmt"
	"io"
	"log"

	"winscratch.example/layers/hostprocess"
)

// Hands the blob to a registry client: the digests and the size are constants.
func Example() {
	if err := hostprocess.Verify(); err != nil {
		log.Fatal(err)
	}
	blob, err := hostprocess.OpenCompressed()
	if err != nil {
		log.Fatal(err)
	}
	defer blob.Close()
	size, err := io.Copy(io.Discard, blob)
	fmt.Println(hostprocess.MediaType, size == hostprocess.BlobSize, err)
	// Output: application/vnd.oci.image.layer.v1.tar+gzip true <nil>
}
