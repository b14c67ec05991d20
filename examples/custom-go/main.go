// Command custom-go is a function with the runtime custom: a program of its own, here in Go, that serves HTTP. Each call
// of the function is one POST /invoke, with the event as its body and the facts of the call in x-fc-* headers; the body
// of the response is the result. It counts the words of the event.
//
//	CGO_ENABLED=0 go build -o bootstrap ./examples/custom-go && zip code.zip bootstrap
//
// Then create a function with runtime "custom", that zip and any handler. With an instanceConcurrency above 1 an
// instance gets several calls at a time; net/http serves them as they come.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	port := os.Getenv("FC_SERVER_PORT")
	http.HandleFunc("POST /initialize", initialize)
	http.HandleFunc("POST /invoke", invoke)
	log.Fatal(http.ListenAndServe(":"+port, nil))
}

// initialize runs once per instance, before its first call, if the function names an initializer.
func initialize(w http.ResponseWriter, r *http.Request) {
	fmt.Println("ready for", r.Header.Get("x-fc-function-name"))
}

func invoke(w http.ResponseWriter, r *http.Request) {
	event, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	words := strings.Fields(string(event))
	if len(words) == 0 {
		fail(w, http.StatusExpectationFailed, "an event without words") // a handled error
		return
	}
	fmt.Println(r.Header.Get("x-fc-request-id"), len(words), "words")
	json.NewEncoder(w).Encode(map[string]int{"words": len(words)})
}

// fail answers with an error in the form that callers of functions know. 417 is a handled error, 500 an unhandled one.
func fail(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"errorMessage": message})
}
