// SPDX-License-Identifier: Apache-2.0

// Command read prints its path, the variable GREETING, and how each file that it is given begins.
package main

import (
	"bytes"
	"fmt"
	"os"
)

func main() {
	if err := read(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "read:", err)
		os.Exit(1)
	}
}

func read(files []string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Printf("%s from %s\n", os.Getenv("GREETING"), program)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		// Up to the first byte that is no character of ASCII.
		if end := bytes.IndexFunc(data, func(r rune) bool { return r < ' ' || r > '~' }); end >= 0 {
			data = data[:end]
		}
		fmt.Printf("%s: %s\n", file, data)
	}
	return nil
}
