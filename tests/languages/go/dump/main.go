// SPDX-License-Identifier: Apache-2.0

// Command dump writes what the generated packages hold into a folder: NAME.tar, NAME.tar.gz and NAME.bcd.
package main

import (
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"winscratch.example/tests/catalogue"
)

func main() {
	for _, layer := range catalogue.Layers {
		write(layer.Name+".tar", layer.Open)
		write(layer.Name+".tar.gz", layer.OpenCompressed)
		if layer.BCD != nil {
			write(layer.Name+".bcd", func() (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(layer.BCD())), nil
			})
		}
	}
}

func write(name string, open func() (io.ReadCloser, error)) {
	reader, err := open()
	if err != nil {
		log.Fatal(err)
	}
	data, err := io.ReadAll(reader)
	if err != nil {
		log.Fatal(err)
	}
	if err := reader.Close(); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(os.Args[1], name), data, 0o644); err != nil {
		log.Fatal(err)
	}
}
