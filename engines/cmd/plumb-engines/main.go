// plumb-engines renders for plumbd, as its child, over standard input and output. It is started with
// no rights: whatever it needs it asks its parent for.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"plumbline.dev/engines/kustomize"
	"plumbline.dev/engines/serve"
)

func main() {
	kustomize.Seal()
	in, out := os.Stdin, os.Stdout
	// Libraries that print would break the frames.
	os.Stdout = os.Stderr
	if err := serve.Serve(watch(in), out); err != nil {
		fmt.Fprintln(os.Stderr, "plumb-engines:", err)
		os.Exit(1)
	}
}

// watch reads ahead, so that a render that never ends is noticed to have lost its parent: the end of
// the input ends the process at once.
func watch(in io.Reader) io.Reader {
	read, write := io.Pipe()
	go func() {
		_, err := io.Copy(write, bufio.NewReaderSize(in, 1<<16))
		if err != nil {
			fmt.Fprintln(os.Stderr, "plumb-engines:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}()
	return read
}
