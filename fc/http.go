package fc

import "io"

// HTTPRequest is what came to an HTTP trigger, beside the event, which is the request's body. It is shown to the
// function as it stands; the JSON names are those that runtimes of the service exchange it by.
type HTTPRequest struct {
	Method string `json:"method"`
	// Path is what follows the function's name in the path, unescaped; it begins with a slash.
	Path string `json:"path"`
	// URI is the whole target as it was sent, escaped and with the query:
	// "/2016-08-15/proxy/service/function/a%20b?c=d".
	URI      string `json:"requestURI"`
	Host     string `json:"host"`
	ClientIP string `json:"clientIP"`
	// Headers have lower-case names. Those that concern one connection alone and those that begin with "x-fc-" are not
	// among them.
	Headers map[string][]string `json:"headersMap"`
	Queries map[string][]string `json:"queriesMap"`

	// Body is read where Call.Payload is nil: to its end before an instance is looked for, or as a stream by runtimes that
	// take one. It is not read after the call has returned.
	Body io.Reader `json:"-"`
	// Begin is called at most once, by runtimes that answer with a stream, and takes the answer's body. What has begun
	// cannot become an error any more: a Result with HTTP.Streamed and an error type, or an error of the call after Begin,
	// means that the answer is cut short. nil: streams are collected.
	Begin func(HTTPResponse) io.Writer `json:"-"`
}

// HTTPResponse is a function's answer to an HTTPRequest, beside the body.
type HTTPResponse struct {
	Status   int
	Headers  map[string][]string // names as the function gave them
	Streamed bool                // the body went to what HTTPRequest.Begin returned
}
