package fc

// Limits are the bounds that the guide gives and an operator may widen. DefaultLimits holds the guide's; the zero value
// is not usable.
type Limits struct {
	MaxTimeoutSeconds  int   // upper bound of a function's timeout; 300
	MaxMemoryMB        int   // 3072
	MaxSyncBodyBytes   int64 // event of a synchronous invocation; 6 MiB
	MaxAsyncBodyBytes  int64 // event of an asynchronous invocation; 128 KiB
	MaxResultBytes     int64 // result of an invocation; 6 MiB
	MaxCodeZipBytes    int64 // zipped code package; 50 MiB
	MaxRequestBytes    int64 // body of a create or update request; 70 MiB (50 MiB as base64)
	MaxUnpackedBytes   int64 // unpacked code package; 500 MiB
	MaxPackageEntries  int   // files and folders in a package; 100,000
	MaxUnpackRatio     int64 // unpacked to zipped; 100
	MaxEnvironmentSize int   // sum of keys and values of environmentVariables, bytes; 4096
}

// DefaultLimits are the bounds of the guide.
func DefaultLimits() Limits {
	return Limits{
		MaxTimeoutSeconds:  300,
		MaxMemoryMB:        3072,
		MaxSyncBodyBytes:   6 << 20,
		MaxAsyncBodyBytes:  128 << 10,
		MaxResultBytes:     6 << 20,
		MaxCodeZipBytes:    50 << 20,
		MaxRequestBytes:    70 << 20,
		MaxUnpackedBytes:   500 << 20,
		MaxPackageEntries:  100_000,
		MaxUnpackRatio:     100,
		MaxEnvironmentSize: 4096,
	}
}
