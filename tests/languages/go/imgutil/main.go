// SPDX-License-Identifier: Apache-2.0

// Command imgutil writes buildpacks/imgutil's own BCD store to standard output.
package main

import (
	"log"
	"os"

	"github.com/buildpacks/imgutil/layer"
)

func main() {
	store, err := layer.BaseLayerBCD()
	if err != nil {
		log.Fatal(err)
	}
	if _, err := os.Stdout.Write(store); err != nil {
		log.Fatal(err)
	}
}
