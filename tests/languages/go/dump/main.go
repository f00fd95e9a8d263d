// SPDX-License-Identifier: Apache-2.0

// Command dump verifies the generated packages, and writes what they hold into a folder: NAME.tar, NAME.tar.gz and
// NAME.bcd, and with .opened what readers return.
package main

import (
	"io"
	"log"
	"os"
	"path/filepath"

	"winscratch.example/tests/catalogue"
)

func main() {
	for _, layer := range catalogue.Layers {
		check(layer.Verify())
		write(layer.Name+".tar", layer.Tar)
		write(layer.Name+".tar.gz", layer.Blob)
		write(layer.Name+".tar.opened", read(layer.Open))
		write(layer.Name+".tar.gz.opened", read(layer.OpenCompressed))
		if layer.BCD != nil {
			write(layer.Name+".bcd", layer.BCD())
		}
	}
}

func read(open func() (io.ReadCloser, error)) string {
	reader, err := open()
	check(err)
	data, err := io.ReadAll(reader)
	check(err)
	check(reader.Close())
	return string(data)
}

func write(name, data string) {
	check(os.WriteFile(filepath.Join(os.Args[1], name), []byte(data), 0o644))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
