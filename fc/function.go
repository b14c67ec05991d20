package fc

import "time"

// Function is code with a handler, a runtime and limits, in a Service.
// As a stored record it is never changed in place: an update makes a new value.
type Function struct {
	ServiceName string `json:"serviceName"`
	Name        string `json:"functionName"`
	ID          string `json:"functionId"` // UUID, given at create
	Description string `json:"description"`
	Runtime     string `json:"runtime"` // as the client sent it; an alias like nodejs4.4 stays one
	Handler     string `json:"handler"`
	// TimeoutSeconds is the longest one invocation may run. Range 1-300 (Limits.MaxTimeoutSeconds), default 3. When it
	// passes, the instance is killed with all it started and the caller gets UnhandledInvocationError.
	TimeoutSeconds int `json:"timeout"`
	// MemorySizeMB bounds the memory of one instance: a multiple of 64 from 128 to 3072, default 128.
	MemorySizeMB int `json:"memorySize"`
	// Initializer is run once per instance before its first invocation; "" means none.
	Initializer string `json:"initializer"`
	// InitializationTimeoutSeconds bounds the initializer. Range 1-300, default 3.
	InitializationTimeoutSeconds int               `json:"initializationTimeout"`
	EnvironmentVariables         map[string]string `json:"environmentVariables"`
	// InstanceConcurrency is how many requests one instance may serve at a time. Range 1-100, default 1.
	InstanceConcurrency int    `json:"instanceConcurrency"`
	InstanceType        string `json:"instanceType"` // stored and echoed; default "e1"

	// The code package: CodeSHA256 (hex) is its name in the package store, CodeChecksum the CRC-64/XZ of the zip's bytes
	// as an unsigned decimal, CodeSize the zip's size in bytes.
	CodeSHA256   string `json:"codeSha256"`
	CodeChecksum string `json:"codeChecksum"`
	CodeSize     int64  `json:"codeSize"`

	CreatedTime      time.Time `json:"createdTime"`
	LastModifiedTime time.Time `json:"lastModifiedTime"`
}

// Ref is the function's name with its service and qualifier, as queues and logs carry it.
func (f *Function) Ref(qualifier string) FunctionRef {
	return FunctionRef{Service: f.ServiceName, Qualifier: qualifier, Function: f.Name}
}
