package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// EndpointFile is the name, below the data directory, of the file that tells clients of a running daemon where it is.
const EndpointFile = "endpoint.json"

// Endpoint is how to reach a running daemon: its URLs and the account's own key. The file that holds it has mode 0600,
// since the key may do everything. OSS and SLS are empty where the embedded service is switched off.
type Endpoint struct {
	AccountID       string `json:"accountId"`
	Region          string `json:"region"`
	AccessKeyID     string `json:"accessKeyId"`
	AccessKeySecret string `json:"accessKeySecret"`
	API             string `json:"api"`
	OSS             string `json:"oss"`
	SLS             string `json:"sls"`
	Admin           string `json:"admin"`
	Push            string `json:"push,omitempty"` // where pushes of events are taken, if they are
}

// ReadEndpoint reads what a daemon on dataDir wrote when it was ready.
func ReadEndpoint(dataDir string) (Endpoint, error) {
	path := filepath.Join(dataDir, EndpointFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return Endpoint{}, fmt.Errorf("no running daemon found: %w", err)
	}
	var e Endpoint
	if err := json.Unmarshal(b, &e); err != nil {
		return Endpoint{}, fmt.Errorf("%s: %w", path, err)
	}
	return e, nil
}

// write makes the file whole or not at all: a client never reads half of it.
func (e Endpoint) write(dataDir string) error {
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dataDir, EndpointFile)
	tmp, err := os.CreateTemp(dataDir, EndpointFile+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(append(b, '\n')); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
