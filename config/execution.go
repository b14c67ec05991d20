package config

import "time"

// Limits are the bounds of the guide, to be widened or narrowed.
type Limits struct {
	MaxTimeoutSeconds int   `yaml:"maxTimeoutSeconds"`
	MaxMemoryMB       int   `yaml:"maxMemoryMB"`
	SyncBodyBytes     int64 `yaml:"syncBodyBytes"`
	AsyncBodyBytes    int64 `yaml:"asyncBodyBytes"`
	ResultBytes       int64 `yaml:"resultBytes"`
	CodeZipBytes      int64 `yaml:"codeZipBytes"`
	UnpackedBytes     int64 `yaml:"unpackedBytes"`
	PackageEntries    int   `yaml:"packageEntries"`
	UnpackRatio       int64 `yaml:"unpackRatio"`
	EnvironmentBytes  int   `yaml:"environmentBytes"`
}

// Invoker bounds the instances and the waiting for them.
type Invoker struct {
	MaxInstances            int           `yaml:"maxInstances"`
	MaxInstancesPerFunction int           `yaml:"maxInstancesPerFunction"`
	MaxMemoryMB             int           `yaml:"maxMemoryMB"`
	QueuePerFunction        int           `yaml:"queuePerFunction"`
	QueueWait               time.Duration `yaml:"queueWait"`
	IdleTimeout             time.Duration `yaml:"idleTimeout"`
	CustomStart             time.Duration `yaml:"customStart"`
	FreezeAfter             time.Duration `yaml:"freezeAfter"`
	KillGrace               time.Duration `yaml:"killGrace"`
	NodePromises            string        `yaml:"nodePromises"`
	LowMemoryMB             int           `yaml:"lowMemoryMB"`
}

// Pool is the generic instances that wait for functions.
type Pool struct {
	Max   int            `yaml:"max"`
	Sizes map[string]int `yaml:",inline"` // by runtime
}

// Sandbox is how functions are contained.
type Sandbox struct {
	Driver    string `yaml:"driver"`
	OCI       OCI    `yaml:"oci"`
	CPU       string `yaml:"cpu"`
	Pids      int    `yaml:"pids"`
	TmpMB     int    `yaml:"tmpMB"`
	OpenFiles int    `yaml:"openFiles"`
	UIDFirst  uint32 `yaml:"uidFirst"`
	UIDLast   uint32 `yaml:"uidLast"`
}

// OCI is the external runtime of the driver oci.
type OCI struct {
	Command string   `yaml:"command"`
	Args    []string `yaml:"args"`
}

// Network is what functions of services with internetAccess see of it.
type Network struct {
	Mode             string   `yaml:"mode"`
	Subnet           string   `yaml:"subnet"`
	Allow            []string `yaml:"allow"`
	Deny             []string `yaml:"deny"`
	Resolvers        []string `yaml:"resolvers"`
	EnableForwarding bool     `yaml:"enableForwarding"`
	Pasta            string   `yaml:"pasta"`
}

// Runtime overrides one row of the runtime table.
type Runtime struct {
	Root       string            `yaml:"root"`
	Command    []string          `yaml:"command"`
	Args       []string          `yaml:"args"`
	Env        map[string]string `yaml:"env"`
	Fallbacks  []string          `yaml:"fallbacks"`
	AllowNewer bool              `yaml:"allowNewer"`
}

// Errors is the wording of function errors where the service itself changed over the years.
type Errors struct {
	Uncaught   string `yaml:"uncaught"`
	ExitSuffix bool   `yaml:"exitSuffix"`
	OOMMessage string `yaml:"oomMessage"`
}

// Async is the delivery of queued invocations.
type Async struct {
	Concurrency            int           `yaml:"concurrency"`
	ConcurrencyPerFunction int           `yaml:"concurrencyPerFunction"`
	MaxRetries             int           `yaml:"maxRetries"`
	RetryBase              time.Duration `yaml:"retryBase"`
	BackoffMax             time.Duration `yaml:"backoffMax"`
	MaxAge                 time.Duration `yaml:"maxAge"`
	MNS                    MNS           `yaml:"mns"`
}

// MNS is the Message Service that destinations of asynchronous invocations may be in.
type MNS struct {
	Endpoint        string `yaml:"endpoint"`
	AccessKeyID     string `yaml:"accessKeyId"`
	AccessKeySecret string `yaml:"accessKeySecret"`
}

// DeadLetters bounds what is kept of invocations that did not come to a good end.
type DeadLetters struct {
	MaxAge   time.Duration `yaml:"maxAge"`
	MaxBytes int64         `yaml:"maxBytes"`
	Max      int64         `yaml:"max"`
}

// LogTrigger is the rules of log triggers.
type LogTrigger struct {
	OnExhausted  string        `yaml:"onExhausted"`
	CatchUpEvery time.Duration `yaml:"catchUpEvery"`
}

// Timer is the rules of timer triggers.
type Timer struct {
	AllowSubMinute bool          `yaml:"allowSubMinute"`
	MinEvery       time.Duration `yaml:"minEvery"`
	DowBase        string        `yaml:"dowBase"`
	Misfire        string        `yaml:"misfire"`
	MaxLateness    time.Duration `yaml:"maxLateness"`
	MaxMisfires    int           `yaml:"maxMisfires"`
	MaxPayload     int           `yaml:"maxPayloadBytes"`
}
