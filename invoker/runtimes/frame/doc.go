// Package frame is the language that the daemon and the bootstrap inside a sandbox speak: frames on two pipes (fd 3 in,
// fd 4 out, seen from the bootstrap) and fences on the two log pipes (fd 1 and 2).
//
// A frame:
//
//	u32 BE  total   bytes after this field (= 5 + hdrLen + len(body))
//	u8      type
//	u32 BE  hdrLen
//	hdr     JSON object, UTF-8, hdrLen bytes
//	body    raw bytes: the event or the result, never base64, never parsed
//
// A fence, which says whose output the following bytes of a log pipe are:
//
//	0x00  token (16 bytes)  'S' or 'E'  request id (printable ASCII)  0x0A
//
// Where several requests are in flight at a time, no fences stand around requests. Single records stand between a label
// and its end, fences with 'L' and 'U' in place of 'S' and 'E'.
//
// A life of one instance:
//
//	<- READY                    once, the interpreter waits for work
//	-> HELLO                    binds the instance to a function; no answer
//	-> INIT | INVOKE | PRESTOP | PREFREEZE
//	<- RESULT | HANDLED | UNHANDLED      with the id of the request
//	-> ... one request at a time, or as many as HELLO allows, answered in any order; until the pipe ends
//
// Writer and Reader move frames; Hello, Request, Ready and Answer are the headers; Token makes and reads fences. The
// package does not attribute log lines and knows no processes.
package frame
