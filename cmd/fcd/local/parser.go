package local

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"fcd/invoker/runtimes"
	"fcd/invoker/sandbox"
)

// Programs that read names of files, each ended by a null byte, from descriptor 3. For each that cannot be parsed they
// print a JSON array, file and error, and an empty one at their end.
const (
	parseJS = `var vm = require('vm'), fs = require('fs'), wrap = require('module').wrap;
var names = ['exports', 'require', 'module', '__filename', '__dirname'];
fs.readFileSync(3, 'utf8').split('\0').slice(0, -1).forEach(function (f) {
  try {
    var text = fs.readFileSync(f, 'utf8').replace(/^\uFEFF/, '').replace(/^#!.*/, '');
    if (vm.compileFunction) vm.compileFunction(text, names, {filename: f});
    else new vm.Script(wrap(text), {filename: f});
  } catch (e) { console.log(JSON.stringify([f, String(e.stack).split('\n    at ')[0]])); }
});
console.log('[]');`
	parsePython = `import json, os, traceback
for f in os.fdopen(3).read().split('\0')[:-1]:
    try:
        compile(open(f, 'rb').read(), f, 'exec', 0, True)
    except Exception as e:
        print(json.dumps([f, ''.join(traceback.format_exception_only(type(e), e))]))
print('[]')`
)

// checkTime bounds one check: parsing takes no time to speak of.
const checkTime = 10 * time.Second

// A parser is the function's interpreter in a sandbox: it waits for names of files, tells which of them cannot be parsed,
// and ends.
type parser struct {
	runtime *runtimes.Runtime
	folder  os.FileInfo // of the function, as the parser sees it
	sb      sandbox.Instance
	names   *os.File
	out     *os.File
}

// startParser starts one; whoever gets it ends it.
func (k *Checker) startParser(ctx context.Context) (*parser, error) {
	folder, err := os.Stat(k.function.Dir)
	if err != nil {
		return nil, err
	}
	p := &parser{runtime: k.runtime, folder: folder}
	var theirs [2]*os.File
	theirs[0], p.names, err = os.Pipe()
	if err == nil {
		p.out, theirs[1], err = os.Pipe()
	}
	if err == nil {
		p.sb, err = k.driver.Start(ctx, sandbox.Spec{
			ID: "check-" + uuid.NewString(), Runtime: k.runtime.Name, Root: k.runtime.Root, CodeDir: k.function.Dir,
			BootstrapDir: k.runtime.BootstrapDir(), Path: k.runtime.Path, Args: append([]string{k.runtime.Path}, k.program...),
			Env: k.runtime.StartEnv(), Limits: sandbox.Limits{MemoryMB: 512}, FrameIn: theirs[0], Stdout: theirs[1], Stderr: theirs[1],
		})
	}
	theirs[0].Close()
	theirs[1].Close()
	if err != nil {
		p.end()
		return nil, err
	}
	return p, nil
}

// end kills what is left of the parser.
func (p *parser) end() {
	if p.sb != nil {
		p.sb.Kill()
	}
	p.names.Close()
	p.out.Close()
}

// parse gives the error of each file that cannot be parsed. It can be asked once.
func (p *parser) parse(ctx context.Context, files []string) (map[string]string, error) {
	stop := context.AfterFunc(ctx, func() { p.sb.Kill() })
	defer stop()
	var names strings.Builder
	for _, f := range files {
		names.WriteString(path.Join(runtimes.CodeDir, f) + "\x00")
	}
	_, err := p.names.WriteString(names.String())
	if err := errors.Join(err, p.names.Close()); err != nil {
		return nil, fmt.Errorf("check of the code: %w", err)
	}
	return p.verdicts()
}

var blankLines = regexp.MustCompile(`\n(\s*\n)+`)

func (p *parser) verdicts() (map[string]string, error) {
	bad := map[string]string{}
	lines := bufio.NewScanner(p.out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v []string
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil || len(v) != 0 && len(v) != 2 {
			return nil, fmt.Errorf("check of the code: %s: %s", p.runtime.Path, lines.Text())
		}
		if len(v) == 0 {
			return bad, nil
		}
		file := strings.TrimPrefix(v[0], runtimes.CodeDir+"/")
		bad[file] = blankLines.ReplaceAllString(strings.TrimSpace(strings.ReplaceAll(v[1], v[0], file)), "\n")
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("check of the code: %s ended before it was through", p.runtime.Path)
}
