package runtimes

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"fcd/invoker/runtimes/frame"
)

// BenchmarkEcho is a warm call of an echo function with an event of 1 KiB: frames, fences and handler, without a sandbox.
func BenchmarkEcho(b *testing.B) {
	for _, lang := range []string{"nodejs", "python", "java"} {
		for _, in := range interpreters(b, lang) {
			b.Run(in.String(), func(b *testing.B) {
				p := startHandler(b, in, echo[lang])
				body := bytes.Repeat([]byte("x"), 1<<10)
				p.request(frame.TypeInvoke, frame.Request{ID: "first"}, body)
				msg := frame.Message{Type: frame.TypeInvoke, Header: frame.Request{ID: "r1"}, Body: body}
				var took []time.Duration
				b.ReportAllocs()
				for b.Loop() {
					begin := time.Now()
					if err := p.w.Write(msg); err != nil {
						b.Fatal(err)
					}
					if f := <-p.answers; len(f.Body) != len(body) {
						b.Fatalf("%d bytes back", len(f.Body))
					}
					took = append(took, time.Since(begin))
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "p50-µs")
				b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1000, "p99-µs")
			})
		}
	}
}

// BenchmarkStart is from the start of an interpreter to its READY.
func BenchmarkStart(b *testing.B) {
	for _, lang := range []string{"nodejs", "python", "java"} {
		for _, in := range interpreters(b, lang) {
			b.Run(in.String(), func(b *testing.B) {
				for b.Loop() {
					start(b, in, nil).stop()
				}
			})
		}
	}
}
