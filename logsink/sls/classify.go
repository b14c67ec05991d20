package sls

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	sdk "github.com/aliyun/aliyun-log-go-sdk"

	"fcd/logsink"
)

// classify turns the SDK's error into one that tells the Shipper what to do. nil stays nil.
func classify(err error) error {
	if err == nil {
		return nil
	}
	var api *sdk.Error
	if errors.As(err, &api) {
		return &logsink.Error{Class: classOf(int(api.HTTPCode), api.Code), Code: api.Code, Err: describe(api)}
	}
	return &logsink.Error{Class: logsink.Temporary, Err: err}
}

// describe is the error in one line; the SDK's own text is indented JSON.
func describe(e *sdk.Error) error {
	if e.HTTPCode <= 0 {
		return fmt.Errorf("log service: %s", strings.Join(strings.Fields(e.Message), " ")) // the SDK indents
	}
	return fmt.Errorf("log service answered %d %s: %s (request %s)", e.HTTPCode, e.Code, e.Message, e.RequestID)
}

// classOf is the table: status 0 or less is a request that had no answer.
func classOf(status int, code string) logsink.Class {
	switch code {
	case "PostBodyInvalid", "InvalidKey", "InvalidEncoding", "InvalidTimestamp", "PostBodyTooLarge":
		return logsink.Content
	case "WriteQuotaExceed", "ShardWriteQuotaExceed", "ServerBusy", "InternalServerError":
		return logsink.Temporary
	case "ProjectNotExist", "LogStoreNotExist", "RequestTimeTooSkewed":
		return logsink.Slow
	}
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return logsink.Content
	case status == http.StatusTooManyRequests, status >= 500, status <= 0:
		return logsink.Temporary
	case status >= 400:
		return logsink.Slow
	}
	return logsink.Temporary
}
