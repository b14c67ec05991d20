package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fcd/config"
)

func TestTheDoctorTellsOfParkedLogLines(t *testing.T) {
	c := config.Default()
	c.DataDir = t.TempDir()
	if got := examineParked(c); got != nil {
		t.Errorf("none are there: %+v", got)
	}
	dir := filepath.Join(c.DataDir, "spool", "rejected")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"000000000000.jsonl": "{\"project\":\"p\",\"logstore\":\"l\",\"reason\":\"first\"}\n{}\n",
		"000000000001.jsonl": "{\"project\":\"p\",\"logstore\":\"l\",\"reason\":\"PostBodyInvalid: no\"}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := examineParked(c)
	if len(got) != 1 || got[0].State != findingWarn || !strings.HasPrefix(got[0].Detail, "3 lines") ||
		!strings.HasSuffix(got[0].Detail, "p/l: PostBodyInvalid: no") {
		t.Errorf("%+v", got)
	}
}
