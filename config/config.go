// Package config is the one file that configures a daemon: YAML with strict keys, every one of them with a default, so
// that an empty file, or none, is a working daemon on the embedded cloud.
//
// A Config is plain data. Load reads and validates a file; the methods in options.go turn it into the Options of each
// room, which is the only place where a key of the file and a field of a room meet. config.example.yaml at the root of
// the repository names every key with its unit, its default and the reason to change it; a test holds it against
// Default.
//
//	c, err := config.Load("/etc/fcd/config.yaml")
//
// Durations are written as Go writes them (30s, 5m, 1h30m), sizes in the unit that the key's name ends in. An error
// names the file, the key and the value.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"
)

// Config is the whole file. See config.example.yaml for what each key means.
type Config struct {
	DataDir    string     `yaml:"dataDir"`
	Region     string     `yaml:"region"`
	Account    Account    `yaml:"account"`
	API        API        `yaml:"api"`
	Admin      Listen     `yaml:"admin"`
	LocalCloud LocalCloud `yaml:"localcloud"`
	OSS        OSS        `yaml:"oss"`
	SLS        SLS        `yaml:"sls"`
	Triggers   Triggers   `yaml:"triggers"`
	RAM        RAM        `yaml:"ram"`
	Limits     Limits     `yaml:"limits"`
	Invoker    Invoker    `yaml:"invoker"`
	Pool       Pool       `yaml:"pool"`
	Sandbox    Sandbox    `yaml:"sandbox"`
	Network    Network    `yaml:"network"`
	// RuntimesDir is where `fcd runtimes install` keeps interpreters; "" = the folder runtimes in DataDir.
	RuntimesDir string             `yaml:"runtimesDir"`
	Runtimes    map[string]Runtime `yaml:"runtimes"`
	Errors      Errors             `yaml:"errors"`
	Async       Async              `yaml:"async"`
	DeadLetters DeadLetters        `yaml:"deadLetters"`
	Timer       Timer              `yaml:"timer"`
	LogTrigger  LogTrigger         `yaml:"logTrigger"`
	Store       Store              `yaml:"store"`
	Queue       Queue              `yaml:"queue"`
	Events      Events             `yaml:"events"`
	Logs        Logs               `yaml:"logs"`
	Log         Log                `yaml:"log"`
	Shutdown    Shutdown           `yaml:"shutdown"`

	path string // the file it came from, "" for none
}

// Account is whose cloud this is. Empty fields are made up at the first start and kept in the data directory.
type Account struct {
	ID              string `yaml:"id"`
	AccessKeyID     string `yaml:"accessKeyId"`
	AccessKeySecret string `yaml:"accessKeySecret"`
}

// Listen is where a listener stands.
type Listen struct {
	Listen string `yaml:"listen"`
}

// API is the REST listener.
type API struct {
	Listen      string        `yaml:"listen"`
	ExternalURL string        `yaml:"externalURL"`
	CodeURLLife time.Duration `yaml:"codeURLLife"`
}

// LocalCloud is the embedded OSS and Log Service.
type LocalCloud struct {
	OSS     LocalOSS     `yaml:"oss"`
	SLS     LocalSLS     `yaml:"sls"`
	Sandbox LocalSandbox `yaml:"sandbox"`
}

// LocalOSS is the embedded object storage.
type LocalOSS struct {
	Enabled       bool          `yaml:"enabled"`
	Listen        string        `yaml:"listen"`
	MaxTotalBytes int64         `yaml:"maxTotalBytes"`
	UploadTTL     time.Duration `yaml:"uploadTTL"`
}

// LocalSLS is the embedded Log Service.
type LocalSLS struct {
	Enabled      bool          `yaml:"enabled"`
	Listen       string        `yaml:"listen"`
	Domain       string        `yaml:"domain"`
	AutoCreate   bool          `yaml:"autoCreate"`
	MaxBytes     int64         `yaml:"maxBytes"`
	QueryTimeout time.Duration `yaml:"queryTimeout"`
}

// LocalSandbox is how functions find the embedded services.
type LocalSandbox struct {
	Names string `yaml:"names"`
}

// OSS is the object storage that code packages are read from.
type OSS struct {
	Endpoint             string `yaml:"endpoint"`
	Region               string `yaml:"region"`
	AuthVersion          string `yaml:"authVersion"`
	AccessKeyID          string `yaml:"accessKeyId"`
	AccessKeySecret      string `yaml:"accessKeySecret"`
	AllowOverlap         bool   `yaml:"allowOverlap"`
	OverlapStatus        int    `yaml:"overlapStatus"`
	MaxTriggersPerBucket int    `yaml:"maxTriggersPerBucket"`
	DeltaSizeMode        string `yaml:"deltaSizeMode"`
	Batch                bool   `yaml:"batch"`
	ObjectMeta           bool   `yaml:"objectMeta"`
}

// SLS is the Log Service that function logs are shipped to.
type SLS struct {
	Endpoint        string        `yaml:"endpoint"`
	Region          string        `yaml:"region"`
	AuthVersion     string        `yaml:"authVersion"`
	AccessKeyID     string        `yaml:"accessKeyId"`
	AccessKeySecret string        `yaml:"accessKeySecret"`
	RequestTimeout  time.Duration `yaml:"requestTimeout"`
	RetryTimeout    time.Duration `yaml:"retryTimeout"`
	TopicStyle      string        `yaml:"topicStyle"`
}

// Shutdown bounds the stages of a stop.
type Shutdown struct {
	Drain     time.Duration `yaml:"drain"`
	FlushLogs time.Duration `yaml:"flushLogs"`
}

// Log is the daemon's own log.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// Load reads, completes and validates a file. An empty path is Default.
func Load(path string) (*Config, error) {
	if path == "" {
		return Default(), nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c, err := parse(b, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	c.path = path
	return c, nil
}

// Parse reads a file's bytes on top of Default and validates the result. Policies in files of their own are looked for in
// the working folder.
func Parse(b []byte) (*Config, error) { return parse(b, "") }

func parse(b []byte, dir string) (*Config, error) {
	c := Default()
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one YAML document")
	}
	if err := errors.Join(c.Validate(), c.RAM.readPolicies(dir)); err != nil {
		return nil, err
	}
	return c, nil
}

// DefaultDataDir is /var/lib/fcd for root, else a folder of the user's own.
func DefaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/fcd"
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "fcd-data"
	}
	return filepath.Join(home, ".local", "share", "fcd")
}
