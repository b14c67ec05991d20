package fc

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// ETag is the entity tag of a record: 32 hex digits without quotes, different for every revision of every key.
func ETag(key string, rev int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key, rev))
	return hex.EncodeToString(sum[:16])
}

// TimeFormat is the guide's form of createdTime and lastModifiedTime: UTC with milliseconds.
const TimeFormat = "2006-01-02T15:04:05.000+0000"

// FormatTime renders t as the guide does.
func FormatTime(t time.Time) string { return t.UTC().Format(TimeFormat) }
