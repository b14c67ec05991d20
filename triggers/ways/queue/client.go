package queue

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"fcd/sign"
)

// Bounds of an answer: 16 messages of 64 KiB, in base64 and with escapes.
const (
	maxAnswer = 8 << 20
	maxError  = 64 << 10
)

// message is a message that was received and is hidden from others until visible.
type message struct {
	ID       string `xml:"MessageId"`
	Receipt  string `xml:"ReceiptHandle"` // of this delivery
	Body     string `xml:"MessageBody"`
	Count    int    `xml:"DequeueCount"`    // deliveries so far, this one included
	VisibleM int64  `xml:"NextVisibleTime"` // Unix milliseconds
}

// client speaks the queue part of the protocol of Message Service, version 2015-06-06.
type client struct {
	base  string // URL of the queue's messages
	http  *http.Client
	keys  Credentials
	clock func() time.Time
}

func newClient(endpoint, queue string, c *http.Client, keys Credentials, clock func() time.Time) *client {
	return &client{base: strings.TrimSuffix(endpoint, "/") + "/queues/" + url.PathEscape(queue) + "/messages", http: c, keys: keys, clock: clock}
}

// refusal is an answer of the service that is an error.
type refusal struct {
	Status  int    `xml:"-"`
	Code    string `xml:"Code"`
	Message string `xml:"Message"`
}

func (r *refusal) Error() string {
	return fmt.Sprintf("message service answers %d %s: %s", r.Status, r.Code, r.Message)
}

// codeEmpty is the answer of a queue without messages, and to a receipt that no longer holds.
const codeEmpty = "MessageNotExist"

func isRefusal(err error, code string) bool {
	var r *refusal
	return errors.As(err, &r) && r.Code == code
}

// receive waits up to wait for messages and takes up to max of them; none is no error.
func (c *client) receive(ctx context.Context, max int, wait time.Duration) ([]message, error) {
	query := "?numOfMessages=" + strconv.Itoa(max) + "&waitseconds=" + strconv.Itoa(int(wait/time.Second))
	body, err := c.do(ctx, http.MethodGet, query)
	if isRefusal(err, codeEmpty) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var answer struct {
		XMLName  xml.Name  `xml:"Messages"`
		Messages []message `xml:"Message"`
	}
	if err := xml.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("message service answers what is no list of messages: %w", err)
	}
	return answer.Messages, nil
}

// remove acknowledges a message. One that is gone or belongs to another delivery by now is no error: it comes again and
// is recognised.
func (c *client) remove(ctx context.Context, receipt string) error {
	_, err := c.do(ctx, http.MethodDelete, "?ReceiptHandle="+url.QueryEscape(receipt))
	if isRefusal(err, codeEmpty) {
		return nil
	}
	return err
}

// hide keeps a message from others for d from now and returns its new receipt.
func (c *client) hide(ctx context.Context, receipt string, d time.Duration) (string, error) {
	body, err := c.do(ctx, http.MethodPut, "?receiptHandle="+url.QueryEscape(receipt)+"&visibilityTimeout="+strconv.Itoa(int(d/time.Second)))
	if err != nil {
		return "", err
	}
	var answer struct {
		Receipt string `xml:"ReceiptHandle"`
	}
	if err := xml.Unmarshal(body, &answer); err != nil || answer.Receipt == "" {
		return "", fmt.Errorf("message service answers no receipt: %w", err)
	}
	return answer.Receipt, nil
}

// do sends a signed request and returns the body of a good answer.
func (c *client) do(ctx context.Context, method, query string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+query, nil)
	if err != nil {
		return nil, err
	}
	k, err := c.keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("credentials for message service: %w", err)
	}
	sign.SignMNS(r, k.AccessKeyID, k.AccessKeySecret, k.SecurityToken, c.clock(), nil)
	res, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("message service answers more than %d bytes", maxAnswer)
	case res.StatusCode/100 == 2:
		return body, nil
	}
	return nil, refusalOf(res.StatusCode, body)
}

// refusalOf reads an error document; what is none is quoted in part.
func refusalOf(status int, body []byte) error {
	r := &refusal{}
	if err := xml.Unmarshal(body[:min(len(body), maxError)], r); err != nil || r.Code == "" {
		r.Code, r.Message = http.StatusText(status), fmt.Sprintf("%.120q", bytes.TrimSpace(body))
	}
	r.Status = status
	return r
}
