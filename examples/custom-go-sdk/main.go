// Command custom-go-sdk is a function in Go on the service's own runtime SDK, which fetches requests in place of serving
// HTTP. Built for Linux, named bootstrap and zipped, it is the code of a function with the runtime custom:
//
//	CGO_ENABLED=0 go build -o bootstrap ./examples/custom-go-sdk && zip code.zip bootstrap
//
// It greets who is named in the event, {"name": "Ada"}.
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aliyun/fc-runtime-go-sdk/fc"
	"github.com/aliyun/fc-runtime-go-sdk/fccontext"
)

type event struct {
	Name string `json:"name"`
}

var ready string

func main() {
	fc.RegisterInitializerFunction(func(context.Context) { ready = "ready" })
	fc.RegisterPreStopFunction(func(context.Context) { fmt.Println("goodbye") })
	fc.RegisterPreFreezeFunction(func(context.Context) { fmt.Println("resting") })
	fc.Start(greet)
}

func greet(ctx context.Context, e event) (string, error) {
	switch e.Name {
	case "":
		return "", errors.New("an event without a name")
	case "nobody":
		panic("nobody is nobody's name")
	}
	f, _ := fccontext.FromContext(ctx)
	fmt.Println("greeting", e.Name)
	return fmt.Sprintf("hello %s from %s/%s, %s MB, %d s %s", e.Name, f.Service.Name, f.Function.Name, f.Function.Memory,
		f.Function.Timeout, ready), nil
}
