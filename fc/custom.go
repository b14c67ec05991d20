package fc

import (
	"fmt"
	"strconv"
)

// RuntimeCustom is the runtime of programs that serve HTTP themselves.
const RuntimeCustom = "custom"

// DefaultCAPort is the port that such a program listens on if its function names none.
const DefaultCAPort = 9000

// maxCommandWords bounds Command and Args together, and the bytes of all their words.
const (
	maxCommandWords = 64
	maxCommandBytes = 4096
)

// CustomRuntimeConfig says how the program of a function with the runtime custom is started. A nil config, and an empty
// Command, mean /code/bootstrap.
type CustomRuntimeConfig struct {
	Command []string `json:"command"`
	Args    []string `json:"args"` // follow those of Command
}

// ListenPort is the port that the function's program listens on.
func (f *Function) ListenPort() int {
	if f.CAPort == 0 {
		return DefaultCAPort
	}
	return f.CAPort
}

func (f *Function) validateCustom() error {
	if f.CAPort < 0 || f.CAPort > 65535 {
		return InvalidField("CaPort", "1 to 65535", strconv.Itoa(f.CAPort))
	}
	if f.CustomRuntimeConfig == nil {
		return nil
	}
	c, size := f.CustomRuntimeConfig, 0
	if len(c.Command) > 0 && c.Command[0] == "" {
		return InvalidField("CustomRuntimeConfig.Command", "the name or path of a program first", "")
	}
	for _, list := range []struct {
		field string
		words []string
	}{{"Command", c.Command}, {"Args", c.Args}} {
		for _, word := range list.words {
			size += len(word)
			for i := range len(word) {
				if word[i] == 0 {
					return InvalidField("CustomRuntimeConfig."+list.field, "words without a zero byte", strconv.Quote(word))
				}
			}
		}
	}
	if n := len(c.Command) + len(c.Args); n > maxCommandWords || size > maxCommandBytes {
		return InvalidField("CustomRuntimeConfig", fmt.Sprintf("at most %d words of at most %d bytes together", maxCommandWords, maxCommandBytes),
			fmt.Sprintf("%d words, %d bytes", n, size))
	}
	return nil
}
