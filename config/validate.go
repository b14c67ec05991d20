package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"fcd/fc"
	"fcd/invoker/sandbox/nat"
)

var (
	accountForm = regexp.MustCompile(`^[0-9]{1,20}$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2,}(-[a-z0-9]+)+$`)
)

// Validate checks every value that a room would otherwise stumble over later. It reports all that is wrong at once, one
// line each, naming the key and the value. Policies and roles are checked by package ram when they are loaded.
func (c *Config) Validate() error {
	v := &violations{}
	v.check(c.DataDir != "", "dataDir", c.DataDir, "a folder")
	v.check(regionForm.MatchString(c.Region), "region", c.Region, "a region like cn-shanghai")
	v.check(c.Account.ID == "" || accountForm.MatchString(c.Account.ID), "account.id", c.Account.ID, "up to 20 digits")
	v.check((c.Account.AccessKeyID == "") == (c.Account.AccessKeySecret == ""), "account.accessKeyId", c.Account.AccessKeyID,
		"given together with accessKeySecret")
	c.validateListeners(v)
	c.validateCloud(v)
	c.validateTriggers(v)
	c.validateExecution(v)
	c.validateState(v)
	return v.err()
}

func (c *Config) validateListeners(v *violations) {
	v.listen("api.listen", c.API.Listen)
	v.listen("admin.listen", c.Admin.Listen)
	v.listen("localcloud.oss.listen", c.LocalCloud.OSS.Listen)
	v.listen("localcloud.sls.listen", c.LocalCloud.SLS.Listen)
	v.url("api.externalURL", c.API.ExternalURL)
	v.positive("api.codeURLLife", c.API.CodeURLLife)
}

func (c *Config) validateCloud(v *violations) {
	v.url("oss.endpoint", c.OSS.Endpoint)
	v.url("sls.endpoint", c.SLS.Endpoint)
	v.check(c.OSS.Endpoint != "" || c.LocalCloud.OSS.Enabled || c.OSS.AccessKeyID == "", "oss.endpoint", "", "given where localcloud.oss is off")
	v.oneOf("oss.authVersion", c.OSS.AuthVersion, "v1", "v2", "v4")
	v.check(c.OSS.OverlapStatus == 400 || c.OSS.OverlapStatus == 409, "oss.overlapStatus", c.OSS.OverlapStatus, "400 or 409")
	v.oneOf("oss.deltaSizeMode", c.OSS.DeltaSizeMode, "change", "operation", "none")
	v.check(c.OSS.MaxTriggersPerBucket >= 0, "oss.maxTriggersPerBucket", c.OSS.MaxTriggersPerBucket, "0 or more")
	v.oneOf("sls.authVersion", c.SLS.AuthVersion, "v1", "v4")
	v.oneOf("sls.topicStyle", c.SLS.TopicStyle, "service", "fclogs")
	v.positive("sls.requestTimeout", c.SLS.RequestTimeout)
	v.positive("sls.retryTimeout", c.SLS.RetryTimeout)
	v.oneOf("localcloud.sandbox.names", c.LocalCloud.Sandbox.Names, "hosts", "off")
	v.check(strings.Contains(c.LocalCloud.SLS.Domain, "."), "localcloud.sls.domain", c.LocalCloud.SLS.Domain, "a domain name")
	v.positive("localcloud.sls.queryTimeout", c.LocalCloud.SLS.QueryTimeout)
	v.positive("localcloud.oss.uploadTTL", c.LocalCloud.OSS.UploadTTL)
	c.validateRAM(v)
}

func (c *Config) validateExecution(v *violations) {
	l := c.Limits
	for key, n := range map[string]int64{
		"limits.maxTimeoutSeconds": int64(l.MaxTimeoutSeconds), "limits.maxMemoryMB": int64(l.MaxMemoryMB),
		"limits.syncBodyBytes": l.SyncBodyBytes, "limits.asyncBodyBytes": l.AsyncBodyBytes, "limits.resultBytes": l.ResultBytes,
		"limits.codeZipBytes": l.CodeZipBytes, "limits.unpackedBytes": l.UnpackedBytes,
		"limits.packageEntries": int64(l.PackageEntries), "limits.unpackRatio": l.UnpackRatio,
		"limits.environmentBytes": int64(l.EnvironmentBytes), "invoker.maxInstances": int64(c.Invoker.MaxInstances),
		"invoker.maxInstancesPerFunction": int64(c.Invoker.MaxInstancesPerFunction), "sandbox.pids": int64(c.Sandbox.Pids),
		"sandbox.tmpMB": int64(c.Sandbox.TmpMB), "async.concurrency": int64(c.Async.Concurrency),
		"async.concurrencyPerFunction": int64(c.Async.ConcurrencyPerFunction), "timer.maxPayloadBytes": int64(c.Timer.MaxPayload),
	} {
		v.check(n > 0, key, n, "above 0")
	}
	v.check(l.SyncBodyBytes <= 60<<20, "limits.syncBodyBytes", l.SyncBodyBytes, "at most 62914560 (a frame's bound)")
	v.check(l.ResultBytes <= 60<<20, "limits.resultBytes", l.ResultBytes, "at most 62914560 (a frame's bound)")
	v.check(c.Invoker.QueuePerFunction >= 0, "invoker.queuePerFunction", c.Invoker.QueuePerFunction, "0 or more")
	v.positive("invoker.queueWait", c.Invoker.QueueWait)
	v.positive("invoker.idleTimeout", c.Invoker.IdleTimeout)
	v.positive("invoker.customStart", c.Invoker.CustomStart)
	v.positive("invoker.freezeAfter", c.Invoker.FreezeAfter)
	v.positive("invoker.killGrace", c.Invoker.KillGrace)
	v.oneOf("invoker.nodePromises", c.Invoker.NodePromises, "settle", "ignore")
	v.check(c.Invoker.LowMemoryMB >= 0, "invoker.lowMemoryMB", c.Invoker.LowMemoryMB, "0 or more")
	v.check(c.Pool.Max >= 0, "pool.max", c.Pool.Max, "0 or more")
	for name, n := range c.Pool.Sizes {
		v.check(slices.Contains(fc.Runtimes(), name), "pool", name, "max or the name of a runtime")
		v.check(n >= 0, "pool."+name, n, "0 or more")
	}
	v.oneOf("sandbox.driver", c.Sandbox.Driver, "native", "oci", "process")
	v.check(c.Sandbox.OCI.Command != "", "sandbox.oci.command", "", "a program")
	c.validateNetwork(v)
	v.check(c.Sandbox.OpenFiles >= 64 && c.Sandbox.OpenFiles <= 100_000, "sandbox.openFiles", c.Sandbox.OpenFiles, "64 to 100000")
	v.check(c.Logs.RecordBytes >= 1<<10 && c.Logs.RecordBytes <= 512<<10, "logs.recordBytes", c.Logs.RecordBytes, "1024 to 524288")
	v.oneOf("sandbox.cpu", c.Sandbox.CPU, "share", "off")
	v.check(c.Sandbox.UIDFirst > 0 && c.Sandbox.UIDLast >= c.Sandbox.UIDFirst, "sandbox.uidLast", c.Sandbox.UIDLast, "at least uidFirst, which is above 0")
	v.oneOf("errors.uncaught", c.Errors.Uncaught, "detail", "exited")
	v.check(c.Async.MaxRetries >= 0 && c.Async.MaxRetries <= 8, "async.maxRetries", c.Async.MaxRetries, "0 to 8")
	v.positive("async.retryBase", c.Async.RetryBase)
	v.positive("async.backoffMax", c.Async.BackoffMax)
	v.positive("async.maxAge", c.Async.MaxAge)
	v.url("async.mns.endpoint", c.Async.MNS.Endpoint)
	v.check((c.Async.MNS.AccessKeyID == "") == (c.Async.MNS.AccessKeySecret == ""), "async.mns.accessKeyId", c.Async.MNS.AccessKeyID,
		"given together with accessKeySecret")
	v.check(c.Timer.MinEvery >= time.Second, "timer.minEvery", c.Timer.MinEvery, "at least 1s")
	v.oneOf("timer.dowBase", c.Timer.DowBase, "mon1", "sun1")
	v.oneOf("timer.misfire", c.Timer.Misfire, "skip", "once", "all")
	v.check(c.Timer.MaxMisfires >= 1 && c.Timer.MaxMisfires <= 10000, "timer.maxMisfires", c.Timer.MaxMisfires, "1 to 10000")
	v.positive("timer.maxLateness", c.Timer.MaxLateness)
	v.oneOf("logTrigger.onExhausted", c.LogTrigger.OnExhausted, "hold", "skip")
	v.positive("logTrigger.catchUpEvery", c.LogTrigger.CatchUpEvery)
}

func (c *Config) validateNetwork(v *violations) {
	n := c.Network
	v.oneOf("network.mode", n.Mode, "auto", "none", "nat", "host")
	if n.Subnet != "" {
		p, err := netip.ParsePrefix(n.Subnet)
		v.check(err == nil && p.Addr().Is4() && p.Bits() >= 12 && p.Bits() <= 28, "network.subnet", n.Subnet, "an IPv4 network between /12 and /28")
	}
	for _, a := range n.Allow {
		_, err := nat.ParseEndpoint(a)
		v.check(err == nil, "network.allow", a, "an address or network, with or without :port")
	}
	for _, d := range n.Deny {
		_, err := nat.ParseNet(d)
		v.check(err == nil, "network.deny", d, "an address or network")
	}
	for _, r := range n.Resolvers {
		_, err := netip.ParseAddr(r)
		v.check(err == nil, "network.resolvers", r, "an address")
	}
}

func (c *Config) validateState(v *violations) {
	v.positive("events.keepFor", c.Events.KeepFor)
	v.check(c.Events.MaxCount > 0, "events.maxCount", c.Events.MaxCount, "above 0")
	v.check(c.Events.MaxBytes > 0, "events.maxBytes", c.Events.MaxBytes, "above 0")
	v.check(c.Queue.MaxMessages > 0, "queue.maxMessages", c.Queue.MaxMessages, "above 0")
	v.check(c.Queue.MaxBytes > 0, "queue.maxBytes", c.Queue.MaxBytes, "above 0")
	v.check(c.Queue.MinFreeBytes >= 0, "queue.minFreeBytes", c.Queue.MinFreeBytes, "0 or above")
	v.positive("deadLetters.maxAge", c.DeadLetters.MaxAge)
	v.check(c.DeadLetters.Max > 0, "deadLetters.max", c.DeadLetters.Max, "above 0")
	v.check(c.DeadLetters.MaxBytes > 0, "deadLetters.maxBytes", c.DeadLetters.MaxBytes, "above 0")
	v.oneOf("logs.levelStyle", c.Logs.LevelStyle, "plain", "bracket")
	v.oneOf("logs.spool.onFull", c.Logs.Spool.OnFull, "drop", "block")
	v.check(c.Logs.Spool.MaxBytes >= 16<<20, "logs.spool.maxBytes", c.Logs.Spool.MaxBytes, "at least 16777216 (two segments)")
	v.check(c.Logs.Spool.MaxBytesPerLogstore >= 16<<20, "logs.spool.maxBytesPerLogstore", c.Logs.Spool.MaxBytesPerLogstore, "at least 16777216 (two segments)")
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "console", "json")
	v.check(c.Shutdown.Drain >= 0, "shutdown.drain", c.Shutdown.Drain, "0 or more")
	v.check(c.Shutdown.FlushLogs >= 0, "shutdown.flushLogs", c.Shutdown.FlushLogs, "0 or more")
}

// violations gathers what is wrong with a file.
type violations struct{ list []error }

func (v *violations) check(ok bool, key string, value any, want string) {
	if !ok {
		v.list = append(v.list, fmt.Errorf("%s is %q: it must be %s", key, fmt.Sprint(value), want))
	}
}

func (v *violations) oneOf(key, value string, allowed ...string) {
	v.check(slices.Contains(allowed, value), key, value, "one of "+strings.Join(allowed, ", "))
}

func (v *violations) positive(key string, d time.Duration) { v.check(d > 0, key, d, "above 0") }

func (v *violations) listen(key, value string) {
	_, _, err := net.SplitHostPort(value)
	v.check(err == nil, key, value, "host:port")
}

func (v *violations) url(key, value string) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	v.check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", key, value, "an http or https URL")
}

// err is all of it, in the order of the keys where map iteration lost it.
func (v *violations) err() error {
	slices.SortStableFunc(v.list, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(v.list...)
}
