package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A report is what latest.json holds.
type report struct {
	Started time.Time    `json:"started"`
	Seconds float64      `json:"seconds"`
	Quick   bool         `json:"quick"`
	Commit  string       `json:"commit,omitempty"`
	Machine machine      `json:"machine"`
	Rows    []reportedOf `json:"rows"`
}

// reportedOf is a result as it is written.
type reportedOf struct {
	Name    string  `json:"name"`
	What    string  `json:"what"`
	Against string  `json:"against"`
	Unit    string  `json:"unit"`
	Axis    string  `json:"axis"`
	Must    float64 `json:"must"`
	Strive  float64 `json:"strive,omitempty"`
	Lower   bool    `json:"lowerIsBetter"`
	Ratio   float64 `json:"ratio,omitempty"`
	Verdict string  `json:"verdict,omitempty"`
	Points  []point `json:"points,omitempty"`
	Error   string  `json:"error,omitempty"`
}

// machine is where it was measured.
type machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	MemoryMiB uint64 `json:"memoryMiB"`
	System    string `json:"system"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	Node      string `json:"node"`
	Python    string `json:"python"`
	Load      string `json:"loadBefore"`
}

func reported(r result) reportedOf {
	out := reportedOf{Name: r.name, What: r.what, Against: r.against, Unit: r.unit, Axis: r.axis, Must: r.must, Strive: r.strive,
		Lower: r.lower, Points: r.Points, Error: r.Error}
	if r.Error == "" {
		out.Ratio = r.shown().Ratio
		out.Verdict = r.verdict(out.Ratio)
	}
	return out
}

// write makes the file whole or not at all.
func (r report) write(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// thisMachine describes the machine; what cannot be found out stays empty.
func thisMachine(l *lab) machine {
	var info unix.Sysinfo_t
	var name unix.Utsname
	unix.Sysinfo(&info)
	unix.Uname(&name)
	load, _ := os.ReadFile("/proc/loadavg")
	return machine{
		Processor: field("/proc/cpuinfo", "model name", ":"), Cores: runtime.NumCPU(),
		MemoryMiB: info.Totalram * uint64(info.Unit) >> 20, System: field("/etc/os-release", "PRETTY_NAME", "="),
		Kernel: unix.ByteSliceToString(name.Release[:]), Go: runtime.Version(),
		Node: l.node.Version, Python: l.python.Version, Load: strings.TrimSpace(string(load)),
	}
}

// field is the first value of a name in a file of lines.
func field(path, name, separator string) string {
	b, _ := os.ReadFile(path)
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, separator); ok && strings.TrimSpace(key) == name {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// commit names what was measured, if the working directory is a checkout.
func commit() string {
	out, _ := exec.Command("git", "describe", "--always", "--dirty").Output()
	return strings.TrimSpace(string(out))
}

// save writes the report and the plots into dir.
func save(dir string, r report, results []result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := r.write(filepath.Join(dir, "latest.json")); err != nil {
		return err
	}
	if err := plotTable(dir, results); err != nil {
		return fmt.Errorf("plot of the table: %w", err)
	}
	for _, res := range results {
		if err := plotCurve(dir, res); err != nil {
			return fmt.Errorf("plot of %s: %w", res.name, err)
		}
	}
	return nil
}
