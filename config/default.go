package config

import (
	"time"

	"fcd/fc"
)

// Default is the configuration of an empty file: the embedded cloud on loopback ports.
func Default() *Config {
	l := fc.DefaultLimits()
	return &Config{
		DataDir: DefaultDataDir(),
		Region:  "cn-shanghai",
		API:     API{Listen: "127.0.0.1:8080", CodeURLLife: 10 * time.Minute},
		Admin:   Listen{Listen: "127.0.0.1:8083"},
		LocalCloud: LocalCloud{
			OSS: LocalOSS{Enabled: true, Listen: "127.0.0.1:8081", UploadTTL: 7 * 24 * time.Hour},
			SLS: LocalSLS{Enabled: true, Listen: "127.0.0.1:8082", Domain: "sls.fcd.local", AutoCreate: true,
				MaxBytes: 10 << 30, QueryTimeout: 10 * time.Second},
			Sandbox: LocalSandbox{Names: "hosts"},
		},
		OSS: OSS{AuthVersion: "v4", OverlapStatus: 400, MaxTriggersPerBucket: 10, DeltaSizeMode: "change"},
		SLS: SLS{AuthVersion: "v1", RequestTimeout: 10 * time.Second, RetryTimeout: time.Second, TopicStyle: "service"},
		Triggers: Triggers{
			Queues: []TriggerQueue{}, Push: TriggerPush{Bindings: []TriggerBinding{}}, Listings: []TriggerListing{},
			Directories: []TriggerDirectory{}},
		RAM: RAM{Mode: "enforce", CheckAtCreate: "strict", DefaultRoles: true, SystemPolicies: "builtin", STS: STS{Life: time.Hour}},
		Limits: Limits{MaxTimeoutSeconds: l.MaxTimeoutSeconds, MaxMemoryMB: l.MaxMemoryMB, SyncBodyBytes: l.MaxSyncBodyBytes,
			AsyncBodyBytes: l.MaxAsyncBodyBytes, ResultBytes: l.MaxResultBytes, CodeZipBytes: l.MaxCodeZipBytes,
			UnpackedBytes: l.MaxUnpackedBytes, PackageEntries: l.MaxPackageEntries, UnpackRatio: l.MaxUnpackRatio,
			EnvironmentBytes: l.MaxEnvironmentSize},
		Invoker: Invoker{MaxInstances: 256, MaxInstancesPerFunction: 100, QueuePerFunction: 100,
			QueueWait: 10 * time.Second, IdleTimeout: 5 * time.Minute, CustomStart: 2 * time.Minute,
			FreezeAfter: time.Second, KillGrace: 300 * time.Millisecond, NodePromises: "settle"},
		Pool:    Pool{Max: 8},
		Network: Network{Mode: "auto", Pasta: "pasta"},
		Sandbox: Sandbox{Driver: "native", OCI: OCI{Command: "runc"}, CPU: "share", Pids: 1024, TmpMB: 512, OpenFiles: 1024, UIDFirst: 200000, UIDLast: 265535},
		Errors:  Errors{Uncaught: "detail"},
		Async: Async{Concurrency: 64, ConcurrencyPerFunction: 16, MaxRetries: 3, RetryBase: 500 * time.Millisecond,
			BackoffMax: 5 * time.Minute, MaxAge: 5 * time.Hour},
		DeadLetters: DeadLetters{MaxAge: 30 * 24 * time.Hour, MaxBytes: 1 << 30, Max: 1_000_000},
		Timer:       Timer{MinEvery: time.Minute, DowBase: "mon1", Misfire: "skip", MaxLateness: time.Hour, MaxMisfires: 100, MaxPayload: 4096},
		LogTrigger:  LogTrigger{OnExhausted: "hold", CatchUpEvery: 2 * time.Second},
		Queue:       Queue{MaxMessages: 5_000_000, MaxBytes: 20 << 30, MinFreeBytes: 1 << 30},
		Events:      Events{KeepFor: 24 * time.Hour, MaxCount: 1_000_000, MaxBytes: 256 << 20},
		Logs: Logs{LevelStyle: "plain", RecordBytes: 32 << 10,
			Spool: Spool{MaxBytes: 1 << 30, MaxBytesPerLogstore: 256 << 20, OnFull: "drop"}},
		Log:      Log{Level: "info", Format: "console"},
		Shutdown: Shutdown{Drain: 30 * time.Second, FlushLogs: 5 * time.Second},
	}
}
