package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"fcd/cmd/fcd/daemon"
	"fcd/config"
)

// profile finds the daemon that a command talks to. In this order: --data-dir, FCD_DATA_DIR, the profile file (--profile,
// FCD_PROFILE or ~/.fcd/profile.yaml), the default data directory.
//
// A profile file holds either the data directory of a daemon on this machine,
//
//	dataDir: /var/lib/fcd
//
// or, for one elsewhere, what its endpoint.json holds:
//
//	accountId: "123456"
//	region: cn-shanghai
//	accessKeyId: ...
//	accessKeySecret: ...
//	api: http://fc.example.com
//	sls: http://logs.example.com
type profile struct {
	dataDir     string
	file        string
	runtimesDir string
}

type profileFile struct {
	DataDir         string `yaml:"dataDir"`
	AccountID       string `yaml:"accountId"`
	Region          string `yaml:"region"`
	AccessKeyID     string `yaml:"accessKeyId"`
	AccessKeySecret string `yaml:"accessKeySecret"`
	API             string `yaml:"api"`
	OSS             string `yaml:"oss"`
	SLS             string `yaml:"sls"`
	Admin           string `yaml:"admin"`
}

func (p *profile) flags(f *pflag.FlagSet) {
	f.StringVar(&p.dataDir, "data-dir", "", "data directory of the daemon (FCD_DATA_DIR; default "+config.DefaultDataDir()+")")
	f.StringVar(&p.runtimesDir, "runtimes-dir", os.Getenv("FCD_RUNTIMES_DIR"), "folder of installed runtimes (FCD_RUNTIMES_DIR; default runtimes in the data directory)")
	f.StringVar(&p.file, "profile", "", "file that says where the daemon is (FCD_PROFILE; default ~/.fcd/profile.yaml)")
}

// dir is the data directory named by flag or environment, "" if neither names one.
func (p *profile) dir() string {
	if p.dataDir != "" {
		return p.dataDir
	}
	return os.Getenv("FCD_DATA_DIR")
}

// endpoint is where the daemon is.
func (p *profile) endpoint() (daemon.Endpoint, error) {
	if dir := p.dir(); dir != "" {
		return daemon.ReadEndpoint(dir)
	}
	f, err := p.read()
	if err != nil {
		return daemon.Endpoint{}, err
	}
	if f.API != "" {
		return daemon.Endpoint{AccountID: f.AccountID, Region: f.Region, AccessKeyID: f.AccessKeyID,
			AccessKeySecret: f.AccessKeySecret, API: f.API, OSS: f.OSS, SLS: f.SLS, Admin: f.Admin}, nil
	}
	if f.DataDir != "" {
		return daemon.ReadEndpoint(f.DataDir)
	}
	return daemon.ReadEndpoint(config.DefaultDataDir())
}

// read reads the profile file; a missing one is empty unless it was named.
func (p *profile) read() (profileFile, error) {
	path, named := p.file, true
	if path == "" {
		path = os.Getenv("FCD_PROFILE")
	}
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return profileFile{}, nil // no home, no profile
		}
		path, named = filepath.Join(home, ".fcd", "profile.yaml"), false
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return profileFile{}, nil
	}
	if err != nil {
		return profileFile{}, fmt.Errorf("profile: %w", err)
	}
	var f profileFile
	if err := yaml.Unmarshal(b, &f); err != nil {
		return profileFile{}, fmt.Errorf("profile %s: %w", path, err)
	}
	return f, nil
}
