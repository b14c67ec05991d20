package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fcd/bench/comparators"
)

// redeploy measures from the save of a function's file to the line in which `fcd dev` says that it is deployed. The
// folder has so many other files, which are hard to compress, as a library's images and minified scripts are.
func redeploy(ctx context.Context, l *lab, files int) (_ []pair, err error) {
	const bound = 150 // milliseconds
	name := fmt.Sprint("redeploy", files)
	folder := filepath.Join(l.dir, name)
	code, err := fill4K(folder, files)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder), os.RemoveAll(folder+"-data")) }()
	deployed := make(chan time.Time, 16)
	p, err := startHeard(ctx, l.dir, name, func(line string) {
		if strings.Contains(line, " deployed: ") {
			deployed <- time.Now()
		}
	}, l.bin, "dev", folder, "--runtime", l.node.Name, "--ports", "any", "--data-dir", folder+"-data")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	wait := func() (time.Time, error) {
		select {
		case at := <-deployed:
			return at, nil
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("fcd dev deployed nothing: %w: %s", ctx.Err(), p.lastWords())
		}
	}
	if _, err := wait(); err != nil {
		return nil, err
	}
	var took []float64
	for i := range pick(l, 4, 41) {
		// The instance that is started for each version, and who writes code, take their time.
		if err := pause(ctx, 400*time.Millisecond); err != nil {
			return nil, err
		}
		begin := time.Now()
		if err := os.WriteFile(filepath.Join(folder, "index.js"), fmt.Appendf(nil, "%s// version %d\n", code, i), 0o644); err != nil {
			return nil, err
		}
		at, err := wait()
		if err != nil {
			return nil, err
		}
		took = append(took, milliseconds(at.Sub(begin)))
	}
	return []pair{constant(median(took), bound, fmt.Sprintf("longest of %d: %.0f ms", len(took), slices.Max(took)))}, nil
}

// fill4K makes a folder with the handler of a function and so many other files of 4 KiB, five to a folder, as npm
// leaves them. It returns the handler's code.
func fill4K(folder string, files int) ([]byte, error) {
	code, err := comparators.Files.ReadFile("hello.js")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	noise, content := rand.NewChaCha8([32]byte{}), make([]byte, 4<<10)
	for i := range files {
		dir := filepath.Join(folder, "node_modules", fmt.Sprintf("library%d", i/10), fmt.Sprint(i%10/5))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		_, _ = noise.Read(content)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("part%d.bin", i)), content, 0o644); err != nil {
			return nil, err
		}
	}
	return code, os.WriteFile(filepath.Join(folder, "index.js"), code, 0o644)
}
