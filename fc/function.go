package fc

import (
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

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
	// CAPort is where the program of a function with the runtime custom listens; 0 means DefaultCAPort.
	CAPort              int                  `json:"caPort,omitempty"`
	CustomRuntimeConfig *CustomRuntimeConfig `json:"customRuntimeConfig,omitempty"` // nil: none
	// InstanceLifecycleConfig names hooks that run when an instance turns idle and before it is retired; nil: none.
	InstanceLifecycleConfig *LifecycleConfig `json:"instanceLifecycleConfig,omitempty"`

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

// Runtimes lists the names that a function's runtime may have: those of the guide, nodejs4.4 being an alias of nodejs6,
// and later versions of the same languages. Whether a host can run one is found out when it is called.
func Runtimes() []string {
	return []string{"nodejs4.4", "nodejs6", "nodejs8", "python2.7", "python3", "java8", RuntimeCustom,
		"nodejs10", "nodejs12", "nodejs14", "nodejs16", "nodejs18", "nodejs20", "python3.9", "python3.10", "python3.12"}
}

// Validate checks every field of the function but its code. Errors are *Error with InvalidArgument and name the field
// and the value. A handler without a dot passes: the runtime refuses it when it is called.
func (f *Function) Validate(limits Limits) error {
	if err := f.validateRequired(); err != nil {
		return err
	}
	if err := validateDescription(f.Description); err != nil {
		return err
	}
	if err := f.validateSizes(limits); err != nil {
		return err
	}
	if err := f.validateCustom(); err != nil {
		return err
	}
	if err := f.validateLifecycle(); err != nil {
		return err
	}
	return ValidateEnvironment(f.EnvironmentVariables, limits)
}

func (f *Function) validateRequired() error {
	if err := ValidateName("FunctionName", f.Name, MaxFunctionNameLength); err != nil {
		return err
	}
	if f.Runtime == "" {
		return MissingField("Runtime")
	}
	if err := validateOneOf("Runtime", f.Runtime, Runtimes()); err != nil {
		return err
	}
	if f.Handler == "" {
		return MissingField("Handler")
	}
	if err := validateHandler("Handler", f.Handler); err != nil {
		return err
	}
	return validateHandler("Initializer", f.Initializer)
}

func (f *Function) validateSizes(limits Limits) error {
	if m := f.MemorySizeMB; m < minMemoryMB || m > limits.MaxMemoryMB || m%memoryStepMB != 0 {
		allowed := fmt.Sprintf("a multiple of %d from %d to %d", memoryStepMB, minMemoryMB, limits.MaxMemoryMB)
		return InvalidField("MemorySize", allowed, strconv.Itoa(m))
	}
	if err := validateRange("Timeout", f.TimeoutSeconds, 1, limits.MaxTimeoutSeconds); err != nil {
		return err
	}
	err := validateRange("InitializationTimeout", f.InitializationTimeoutSeconds, 1, limits.MaxTimeoutSeconds)
	if err != nil {
		return err
	}
	return validateRange("InstanceConcurrency", f.InstanceConcurrency, 1, MaxInstanceRequests)
}

func validateHandler(field, s string) error {
	if n := utf8.RuneCountInString(s); n > MaxHandlerLength {
		return InvalidField(field, fmt.Sprintf("at most %d characters", MaxHandlerLength), fmt.Sprintf("%d characters", n))
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return InvalidField(field, "printable characters", strconv.Quote(s))
		}
	}
	return nil
}
