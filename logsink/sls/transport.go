package sls

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

// maxErrorBytes is how much of a refusal's body is read.
const maxErrorBytes = 64 << 10

// plainErrors gives refusals without a JSON body (from proxies and gateways) one: the SDK keeps the status of a refusal
// only if it can read the body.
type plainErrors struct{ next http.RoundTripper }

func (p plainErrors) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := p.next.RoundTrip(req)
	if err != nil || resp.StatusCode < 400 {
		return resp, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBytes))
	resp.Body.Close()
	if err != nil {
		body = nil // the status alone will do
	}
	var known struct {
		Code string `json:"errorCode"`
	}
	if json.Unmarshal(body, &known) != nil || known.Code == "" {
		text := "status " + strconv.Itoa(resp.StatusCode) + " with a body that is not of the log service"
		body, err = json.Marshal(map[string]string{"errorCode": "Status" + strconv.Itoa(resp.StatusCode), "errorMessage": text})
		if err != nil {
			return nil, err
		}
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}
