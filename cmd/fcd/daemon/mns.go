package daemon

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"fcd/fc"
	"fcd/sign"
)

// mnsClient sends messages to queues and topics of Message Service.
type mnsClient struct {
	endpoint string // scheme and host
	keys     fc.Credentials
	http     *http.Client
	now      func() time.Time
}

func (d *Daemon) newMNS() *mnsClient {
	c := d.cfg.Async.MNS
	endpoint := cmp.Or(c.Endpoint, fmt.Sprintf("https://%s.mns.%s.aliyuncs.com", d.account.ID, d.cfg.Region))
	keys := fc.Credentials{AccessKeyID: c.AccessKeyID, AccessKeySecret: c.AccessKeySecret}
	if keys.AccessKeyID == "" {
		keys = fc.Credentials{AccessKeyID: d.account.AccessKeyID, AccessKeySecret: d.account.AccessKeySecret}
	}
	return &mnsClient{endpoint: strings.TrimSuffix(endpoint, "/"), keys: keys, http: &http.Client{}, now: time.Now}
}

// mnsMessage is the body of SendMessage and PublishMessage. Bodies are base64, as the SDKs send and expect them.
type mnsMessage struct {
	XMLName xml.Name `xml:"http://mns.aliyuncs.com/doc/v1/ Message"`
	Body    string   `xml:"MessageBody"`
}

// send posts one message to path, "/queues/<q>/messages" or "/topics/<t>/messages".
func (c *mnsClient) send(ctx context.Context, path string, body []byte) error {
	content, err := xml.Marshal(mnsMessage{Body: base64.StdEncoding.EncodeToString(body)})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	sign.SignMNS(req, c.keys.AccessKeyID, c.keys.AccessKeySecret, c.keys.SecurityToken, c.now(), content)
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("mns: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if res.StatusCode < 300 && err != nil { // whoever begins to say yes and is cut may not have meant it
		return fmt.Errorf("mns %s: %s, cut: %w", path, res.Status, err)
	}
	if res.StatusCode < 300 {
		return nil
	}
	var e struct{ Code, Message string }
	_ = xml.Unmarshal(answer, &e) // what is no answer of MNS has a status
	if lasting(res.StatusCode) {
		return fc.Errorf(fc.InvalidArgument, "mns %s: %s: %s %s", path, res.Status, e.Code, e.Message)
	}
	return fmt.Errorf("mns %s: %s: %s %s", path, res.Status, e.Code, e.Message)
}
