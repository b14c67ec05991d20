// Command custom is what the tests of the runtime custom run. MODE says how it starts, the event what it does.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	calls   atomic.Int64
	inits   atomic.Int64
	barrier sync.WaitGroup
)

func main() {
	fmt.Println("starting", strings.Join(os.Args[1:], " "))
	switch os.Getenv("MODE") {
	case "crash":
		fmt.Fprintln(os.Stderr, "cannot go on")
		os.Exit(3)
	case "mute":
		panic(http.ListenAndServe(":9001", nil))
	case "slow":
		time.Sleep(300 * time.Millisecond)
	}
	barrier.Add(10)
	http.HandleFunc("POST /initialize", initialize)
	http.HandleFunc("POST /invoke", invoke)
	http.HandleFunc("GET /pre-freeze", hook)
	http.HandleFunc("GET /pre-stop", hook)
	panic(http.ListenAndServe(":"+os.Getenv("FC_SERVER_PORT"), nil))
}

func initialize(w http.ResponseWriter, r *http.Request) {
	fmt.Println("initialize")
	if inits.Add(1) == 1 && os.Getenv("FAIL") != "" {
		http.Error(w, "not yet", http.StatusInternalServerError)
	}
}

func hook(w http.ResponseWriter, r *http.Request) {
	fmt.Println(r.URL.Path, r.Header.Get("x-fc-control-path"), r.Header.Get("x-fc-function-name"), "after", calls.Load())
}

func invoke(w http.ResponseWriter, r *http.Request) {
	event, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	word, rest, _ := strings.Cut(string(event), " ")
	switch word {
	case "echo":
		io.WriteString(w, rest)
	case "calls":
		fmt.Fprint(w, calls.Add(1))
	case "inits":
		fmt.Fprint(w, inits.Load())
	case "headers":
		json.NewEncoder(w).Encode(r.Header)
	case "env":
		io.WriteString(w, os.Getenv(rest))
	case "remote":
		io.WriteString(w, r.RemoteAddr)
	case "print":
		fmt.Println(rest)
		fmt.Fprintln(os.Stderr, "error", rest)
	case "status":
		status, text, _ := strings.Cut(rest, " ")
		n, _ := strconv.Atoi(status)
		w.WriteHeader(n)
		io.WriteString(w, text)
	case "x-status":
		w.Header().Set("x-fc-status", rest)
		io.WriteString(w, "over")
	case "exit":
		fmt.Println("leaving")
		n, _ := strconv.Atoi(rest)
		os.Exit(n)
	case "panic":
		panic(http.ErrAbortHandler)
	case "hang":
		fmt.Println("hanging")
		select {}
	case "hog":
		var all [][]byte
		for {
			b := make([]byte, 8<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			all = append(all, b)
		}
	case "size":
		n, _ := strconv.Atoi(rest)
		w.Write(make([]byte, n))
	case "barrier": // the tenth opens it
		barrier.Done()
		barrier.Wait()
		io.WriteString(w, "through")
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}
