// SPDX-License-Identifier: Apache-2.0

// Command bench writes small files to nowhere, by the writer of layers on top (ours) or by archive/tar with the same
// records (theirs), and says how many seconds it took: bench ours|theirs NUMBER.
package main

import (
	"archive/tar"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"time"

	"winscratch.example/layers/files"
)

func main() {
	number, err := strconv.Atoi(os.Args[2])
	check(err)
	paths := make([]string, number)
	for i := range paths {
		paths[i] = fmt.Sprintf("app/dir%d/file%06d.txt", i/1000, i)
	}
	data := make([]byte, 100)
	start := time.Now()
	if os.Args[1] == "ours" {
		layer := files.NewWriter(io.Discard, files.Options{})
		for _, path := range paths {
			check(layer.Add(path, data))
		}
		check(layer.Close())
	} else {
		first := tar.Header{Name: "first", Typeflag: tar.TypeReg, Size: int64(len(data))}
		check(files.Prepare(&first, 0, ""))
		writer := tar.NewWriter(io.Discard)
		for _, path := range paths {
			header := first
			header.Name = "Files/" + path
			check(writer.WriteHeader(&header))
			_, err := writer.Write(data)
			check(err)
		}
		check(writer.Close())
	}
	fmt.Println(time.Since(start).Seconds())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
