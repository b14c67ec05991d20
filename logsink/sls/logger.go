package sls

import (
	"fmt"

	sdk "github.com/aliyun/aliyun-log-go-sdk"
	"go.uber.org/zap"
)

// LogTo sends what the SDK says of itself to log, at debug level; nil silences it. The SDK has one logger for the
// process and prints to stdout by default: the program's wiring calls this once, before the first client is made.
func LogTo(log *zap.Logger) {
	if log == nil {
		log = zap.NewNop()
	}
	sdk.Logger = kitLogger{log.WithOptions(zap.AddCallerSkip(1))}
}

// kitLogger is a zap logger with the one method of the SDK's logger.
type kitLogger struct{ log *zap.Logger }

// Log writes pairs of key and value.
func (k kitLogger) Log(pairs ...any) error {
	fields := make([]zap.Field, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		fields = append(fields, zap.Any(fmt.Sprint(pairs[i]), fmt.Sprint(pairs[i+1])))
	}
	k.log.Debug("log service sdk", fields...)
	return nil
}
