package config

import "time"

// Store is the state on disk.
type Store struct {
	AllowNetworkFS bool `yaml:"allowNetworkFS"`
}

// Queue bounds the asynchronous queue.
type Queue struct {
	MaxMessages int64 `yaml:"maxMessages"`
	MaxBytes    int64 `yaml:"maxBytes"`
	// MinFreeBytes is the free disk below which nothing is queued.
	MinFreeBytes int64 `yaml:"minFreeBytes"`
}

// Events bounds what is remembered of events.
type Events struct {
	KeepFor  time.Duration `yaml:"keepFor"`
	MaxCount int64         `yaml:"maxCount"`
	MaxBytes int64         `yaml:"maxBytes"`
}

// Logs is the function logs on their way to a logstore.
type Logs struct {
	LevelStyle  string `yaml:"levelStyle"`
	RecordBytes int    `yaml:"recordBytes"`
	Spool       Spool  `yaml:"spool"`
}

// Spool is the disk in front of the logstore.
type Spool struct {
	MaxBytes            int64  `yaml:"maxBytes"`
	MaxBytesPerLogstore int64  `yaml:"maxBytesPerLogstore"`
	OnFull              string `yaml:"onFull"`
}
