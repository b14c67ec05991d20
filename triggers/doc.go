// Package triggers turns happenings outside (an object put, a minute passed) into invocations. A Kind knows one type of
// trigger: how its configuration reads, which triggers may stand side by side, and, where fcd has one, the Source that
// watches. The Manager keeps the sources in step with the stored triggers; the Bridge takes every event from them.
//
//	stored triggers --WatchTriggers--> Manager --Apply, Remove--> Source --Dispatch--> Bridge --Apply--> queue
//
// The Bridge checks each event again, whatever was checked when its trigger was made: the trigger is enabled and its
// function exists; the event's source is the one the trigger names; the trigger's role exists and trusts the source's
// service; the role may invoke the function. Then one commit holds the queued invocation, the source's checkpoint, the
// deduplication key and the event's fate. Only after that may a source acknowledge the event to where it came from: a
// crash in between gives a duplicate, which the key catches, and never a loss.
//
// What a refused event is answered with:
//
//	ErrDenied     a check refused it, or it is too large; it is settled       acknowledge
//	ErrDuplicate  it was delivered before                                     acknowledge
//	ErrGone       its trigger or function is no more, or is disabled          acknowledge
//	ErrThrottled  the queue is full                                           keep, try again later
//	other errors  the store did not answer                                    keep, try again
//
// Obligations of a Source, held by package triggertest: no event of a trigger after Remove or Apply of a disabled one
// has returned; Apply of the same trigger twice is once; dispatch comes before acknowledgement; Run returns only when
// dispatches under way have ended; a clock that steps back fires nothing twice; an event that was not delivered can be
// delivered again once what was in its way is mended, and is queued once then.
//
// Kinds without a Source are stored only: their configuration is checked and kept as the guide says.
package triggers
