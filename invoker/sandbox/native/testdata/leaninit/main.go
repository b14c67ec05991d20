// Command leaninit is an init and nothing else, for Options.InitPath.
package main

import (
	"os"

	"fcd/invoker/sandbox/native"
)

func main() {
	native.Main()
	os.Exit(2)
}
