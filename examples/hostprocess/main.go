// SPDX-License-Identifier: Apache-2.0

// Command hello prints its path, node, user and mount point, then runs until it gets a signal to stop. With -once it
// exits at once.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"os/user"
)

func main() {
	once := flag.Bool("once", false, "end right away")
	flag.Parse()
	if err := hello(); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
	if !*once {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, os.Interrupt)
		<-stop
	}
}

func hello() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	node, err := os.Hostname()
	if err != nil {
		return err
	}
	who, err := user.Current()
	if err != nil {
		return err
	}
	// Where a node mounts the image's files: C:\hpc, or a folder of the container's own.
	mount := os.Getenv("CONTAINER_SANDBOX_MOUNT_POINT")
	fmt.Printf("hello from %s\nnode: %s\nuser: %s\nmount: %s\n", program, node, who.Username, mount)
	return nil
}
