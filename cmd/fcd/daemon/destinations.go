package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"fcd/fc"
	"fcd/logsink"
)

// destinations tells logstores, buckets and message queues of the ends of asynchronous invocations. Functions are told
// by the dispatcher itself. Who wrote a function's configuration was allowed to write there; the daemon does it with the
// account's keys.
type destinations struct {
	logs  *logsink.Shipper
	oss   *oss.Client // nil if there is no object storage
	mns   *mnsClient
	clock func() time.Time
	// timeout bounds one delivery.
	timeout time.Duration
}

// deliveryTimeout is long enough for a slow service and short enough that one that hangs does not hold places for long.
const deliveryTimeout = 30 * time.Second

// Deliver returns nil when the message is safe at the destination, or in the log spool. Whatever somebody can still mend
// is a passing error: a missing bucket, a key without rights.
func (d *destinations) Deliver(ctx context.Context, to fc.Destination, requestID string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	switch {
	case to.Logstore != "":
		return d.logs.Deliver(ctx, fc.LogRecord{Time: d.clock(), Project: to.Project, Logstore: to.Logstore, RequestID: requestID, Message: string(body)})
	case to.Bucket != "":
		return d.put(ctx, to, requestID, body)
	case to.MNSPath != "":
		return d.mns.send(ctx, to.MNSPath, body)
	}
	return fc.Errorf(fc.InvalidArgument, "'%s' is no destination", to.ARN)
}

func (d *destinations) put(ctx context.Context, to fc.Destination, requestID string, body []byte) error {
	if d.oss == nil {
		return errors.New("there is no object storage: oss.endpoint is empty and localcloud.oss is off")
	}
	b, err := d.oss.Bucket(to.Bucket)
	if err != nil {
		return fc.Errorf(fc.InvalidArgument, "bucket '%s': %v", to.Bucket, err)
	}
	err = b.PutObject(to.Prefix+requestID+".json", bytes.NewReader(body), oss.WithContext(ctx), oss.ContentType("application/json"))
	var refused oss.ServiceError
	if errors.As(err, &refused) && lasting(refused.StatusCode) {
		return fc.Errorf(fc.InvalidArgument, "oss://%s: %s: %s", to.Bucket, refused.Code, refused.Message)
	}
	if err != nil {
		return fmt.Errorf("oss://%s: %w", to.Bucket, err)
	}
	return nil
}

// lasting tells an answer that will be the same for ever from one that may change.
func lasting(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}

// destinations are opened with the listeners: the embedded object storage is one of them by then, and nothing is
// delivered before Run.
func (d *Daemon) openDestinations() error {
	objects, err := d.codeObjects()
	if err != nil {
		return err
	}
	d.destinations.logs, d.destinations.clock, d.destinations.timeout = d.shipper, time.Now, deliveryTimeout
	if objects != nil {
		d.destinations.oss = objects.client
	}
	d.destinations.mns = d.newMNS()
	return nil
}
