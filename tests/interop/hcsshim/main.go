// SPDX-License-Identifier: Apache-2.0

//go:build windows

// Command probe imports stacks of layers with hcsshim's own code, and says of each what comes of it.
//
// The first argument is a folder of folders of tars, the lowest first by name; layers are made below the second.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/Microsoft/go-winio"
	"github.com/Microsoft/hcsshim/internal/wclayer"
	"github.com/Microsoft/hcsshim/pkg/ociwclayer"
)

func main() {
	privileges := []string{winio.SeBackupPrivilege, winio.SeRestorePrivilege}
	if err := winio.EnableProcessPrivileges(privileges); err != nil {
		log.Fatal(err)
	}
	stacks, err := os.ReadDir(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for _, each := range stacks {
		err := stack(filepath.Join(os.Args[1], each.Name()), filepath.Join(os.Args[2], each.Name()))
		fmt.Printf("%s\t%v\n", each.Name(), err)
	}
}

func stack(from, to string) error {
	tars, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	var parents []string
	for _, each := range tars {
		layer := filepath.Join(to, each.Name())
		if err := one(filepath.Join(from, each.Name()), layer, parents); err != nil {
			return fmt.Errorf("%s: %w", each.Name(), err)
		}
		parents = append([]string{layer}, parents...)
	}
	return nil
}

func one(from, to string, parents []string) error {
	tar, err := os.Open(from)
	if err != nil {
		return err
	}
	defer tar.Close()
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	probe, err := wclayer.NewProbe(to, parents)
	if err != nil {
		return err
	}
	return ociwclayer.WriteLayer(tar, probe, to)
}
