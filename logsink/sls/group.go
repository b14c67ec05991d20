package sls

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"fcd/fc"
	"fcd/logsink"
)

// Field numbers of the service's LogGroup, Log and their parts (proto2, as the SDK's log.proto has them).
const (
	groupLogs, groupTopic, groupSource, groupTags protowire.Number = 1, 3, 4, 6
	logTime, logContents, logTimeNs               protowire.Number = 1, 2, 4
	pairKey, pairValue                            protowire.Number = 1, 2
)

// appendGroup appends a batch as a LogGroup. The SDK's own type holds each key and value by a pointer of its own, which costs
// more than all else of a send.
func (s *Sink) appendGroup(out []byte, b logsink.Batch) []byte {
	out = slices.Grow(out, 320*len(b.Records)+256)
	var one []byte
	for _, r := range b.Records {
		one = appendLog(one[:0], r)
		out = appendBytes(out, groupLogs, one)
	}
	out = appendBytes(out, groupTopic, []byte(b.Topic))
	out = appendBytes(out, groupSource, []byte(s.source))
	return appendPair(out, groupTags, "__pack_id__", b.PackID)
}

func appendLog(out []byte, r fc.LogRecord) []byte {
	out = protowire.AppendTag(out, logTime, protowire.VarintType)
	out = protowire.AppendVarint(out, uint64(uint32(r.Time.Unix())))
	out = appendPair(out, logContents, "serviceName", r.Service)
	out = appendPair(out, logContents, "functionName", r.Function)
	out = appendPair(out, logContents, "qualifier", r.Qualifier)
	out = appendPair(out, logContents, "versionId", r.VersionID)
	out = appendPair(out, logContents, "instanceID", r.InstanceID)
	out = appendPair(out, logContents, "requestId", r.RequestID)
	out = appendPair(out, logContents, "message", r.Message)
	if r.Late {
		out = appendPair(out, logContents, "late", "true")
	}
	out = protowire.AppendTag(out, logTimeNs, protowire.Fixed32Type)
	return protowire.AppendFixed32(out, uint32(r.Time.Nanosecond()))
}

// appendPair appends a message of a key and a value.
func appendPair(out []byte, n protowire.Number, key, value string) []byte {
	size := protowire.SizeTag(pairKey) + protowire.SizeBytes(len(key)) + protowire.SizeTag(pairValue) + protowire.SizeBytes(len(value))
	out = protowire.AppendTag(out, n, protowire.BytesType)
	out = protowire.AppendVarint(out, uint64(size))
	out = protowire.AppendTag(out, pairKey, protowire.BytesType)
	out = protowire.AppendString(out, key)
	out = protowire.AppendTag(out, pairValue, protowire.BytesType)
	return protowire.AppendString(out, value)
}

func appendBytes(out []byte, n protowire.Number, b []byte) []byte {
	out = protowire.AppendTag(out, n, protowire.BytesType)
	return protowire.AppendBytes(out, b)
}
