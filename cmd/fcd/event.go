package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fcd/api/client"
	"fcd/fc"
)

// event is an event on its way to a trigger, as the API shows it.
type event struct {
	EventID      string      `json:"eventId"`
	Type         string      `json:"type"`
	Subject      string      `json:"subject"`
	Source       string      `json:"source,omitempty"`
	Trigger      string      `json:"trigger,omitempty"`
	TriggerID    string      `json:"triggerId,omitempty"`
	ReceivedTime time.Time   `json:"receivedTime"`
	State        string      `json:"state"`
	Reason       string      `json:"reason,omitempty"`
	Detail       string      `json:"detail,omitempty"`
	RequestID    string      `json:"requestId,omitempty"`
	Attempt      int         `json:"attempt,omitempty"`
	Time         time.Time   `json:"time"`
	Steps        []eventStep `json:"steps,omitempty"`
	Payload      string      `json:"payload,omitempty"`
	PayloadB64   []byte      `json:"payloadBase64,omitempty"`
}

type eventStep struct {
	Time      time.Time `json:"time"`
	State     string    `json:"state"`
	Reason    string    `json:"reason,omitempty"`
	Detail    string    `json:"detail,omitempty"`
	RequestID string    `json:"requestId,omitempty"`
	Attempt   int       `json:"attempt,omitempty"`
	Status    int       `json:"status,omitempty"`
}

func newEvent(p *profile) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "event",
		Short: "See what became of events, and why one did not fire",
		Long: `See what became of the events that reached a source: an object put, a timer's instant, a log window.

An event is shown once for each trigger that was looked at for it. Its state is one of
  unmatched      the trigger did not want it; the reason says by which rule
  denied         a check of delivery refused it: the source, the role or its policies
  queued         its invocation waits or runs
  attempt        the function failed or found no room, and is tried again
  succeeded      the function has returned
  failed         its tries are used up; see also: fcd deadletter
  expired        it was not delivered in time
  stopped        a caller stopped its invocation
  dead-lettered  it can never be delivered and is kept as a dead letter

Events are remembered for a day (events in the configuration).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newEventList(p), newEventShow(p), newEventReplay(p))
	return cmd
}

func checkOutput(output string) error {
	if output != "text" && output != "json" {
		return usagef("--output is %q: it must be text or json", output)
	}
	return nil
}

func newEventList(p *profile) *cobra.Command {
	var function, trigger, state, output string
	var since time.Duration
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what became of events, the newest first",
		Example: `  fcd event list
  fcd event list --state denied --since 1h
  fcd event list --trigger demo/thumbnail/new-object -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if limit < 1 {
				return usagef("--limit is %d: it must be 1 or more", limit)
			}
			c, err := p.extensions()
			if err != nil {
				return err
			}
			q := url.Values{}
			for name, v := range map[string]string{"function": function, "trigger": trigger, "state": state} {
				if v != "" {
					q.Set(name, v)
				}
			}
			if since > 0 {
				q.Set("since", time.Now().Add(-since).UTC().Format(time.RFC3339))
			}
			all, more, err := listEvents(cmd, c, q, limit)
			if err != nil {
				return err
			}
			if output == "json" {
				return printJSON(all, cmd.OutOrStdout())
			}
			return printEvents(all, more, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&function, "function", "f", "", "only those of `SERVICE/FUNCTION`")
	f.StringVarP(&trigger, "trigger", "t", "", "only those of `SERVICE/FUNCTION/TRIGGER`")
	f.StringVar(&state, "state", "", "only those that are unmatched, denied, queued, attempt, succeeded, failed, expired, stopped or dead-lettered")
	f.DurationVar(&since, "since", 0, "only those received that long ago or later, like 10m; 0: all that are remembered")
	f.IntVarP(&limit, "limit", "n", 50, "at most so many")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// listEvents follows the pages until there are enough.
func listEvents(cmd *cobra.Command, c *client.Client, q url.Values, limit int) (all []event, more bool, err error) {
	all = []event{}
	for {
		q.Set("limit", strconv.Itoa(min(limit-len(all), 100)))
		a, err := c.Do(cmd.Context(), http.MethodGet, "/events", q, nil)
		if err != nil {
			return nil, false, err
		}
		var page struct {
			Events    []event
			NextToken string
		}
		if err := json.Unmarshal(a.Body, &page); err != nil {
			return nil, false, err
		}
		all = append(all, page.Events...)
		if page.NextToken == "" || len(all) >= limit {
			return all, page.NextToken != "", nil
		}
		q.Set("nextToken", page.NextToken)
	}
}

func printEvents(all []event, more bool, out, errOut io.Writer) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(errOut, "no events")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RECEIVED\tEVENT\tABOUT\tTRIGGER\tSTATE\tWHY")
	for _, e := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", e.ReceivedTime.Local().Format(time.DateTime), e.EventID, cut(e.Subject, 60),
			cmp.Or(e.Trigger, "-"), e.State, cut(e.why(), 240))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if more {
		fmt.Fprintln(errOut, "there are more: see --limit")
	}
	return nil
}

// why says in words what the state comes from.
func (e *event) why() string { return why(e.State, e.Reason, e.Detail, e.Attempt, 0) }

func why(state, reason, detail string, attempt, status int) string {
	var parts []string
	if attempt > 0 && (state == "attempt" || state == "failed") {
		what := "attempt " + strconv.Itoa(attempt)
		if status > 0 {
			what += ", status " + strconv.Itoa(status)
		}
		parts = append(parts, what)
	}
	if reason != "" {
		parts = append(parts, reason)
	}
	if detail != "" {
		parts = append(parts, detail)
	}
	return strings.Join(parts, ": ")
}

// cut is what of a text fits a line and a column.
func cut(s string, width int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return s
}

func newEventShow(p *profile) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "show EVENT",
		Short:   "Show every step of an event, for each trigger, and the event itself",
		Example: `  fcd event show oss/photos/17`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			c, err := p.extensions()
			if err != nil {
				return err
			}
			a, err := c.Do(cmd.Context(), http.MethodGet, "/events/"+url.PathEscape(args[0]), nil, nil)
			if err != nil {
				return err
			}
			var shown struct{ Events []event }
			if err := json.Unmarshal(a.Body, &shown); err != nil {
				return err
			}
			if output == "json" {
				return printJSON(shown.Events, cmd.OutOrStdout())
			}
			return showEvent(shown.Events, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func showEvent(all []event, out io.Writer) error {
	e := &all[0]
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{{"event", e.EventID}, {"about", e.Subject}, {"from", e.Source},
		{"received", e.ReceivedTime.Local().Format(time.DateTime)}} {
		if row[1] != "" {
			fmt.Fprintf(table, "%s\t%s\n", row[0], row[1])
		}
	}
	for i := range all {
		if err := table.Flush(); err != nil {
			return err
		}
		all[i].print(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for i := range all { // that of the first which has one: they differ in a rule's id at most
		if p := all[i].Payload; p != "" {
			_, err := fmt.Fprintf(out, "\n%s\n", p)
			return err
		}
	}
	return nil
}

// print writes the steps on the way to one trigger.
func (e *event) print(out io.Writer) {
	fmt.Fprintf(out, "\n%s: %s\n", cmp.Or(e.Trigger, "no trigger"), e.State)
	request := ""
	for _, s := range e.Steps {
		text := why(s.State, s.Reason, s.Detail, s.Attempt, s.Status)
		if s.RequestID != request {
			text = strings.TrimPrefix(text+", request "+s.RequestID, ", ")
			request = s.RequestID
		}
		fmt.Fprintf(out, "  %s\t%s\t%s\n", s.Time.Local().Format("15:04:05.000"), s.State, text)
	}
}

func newEventReplay(p *profile) *cobra.Command {
	var trigger, output string
	cmd := &cobra.Command{
		Use:   "replay EVENT",
		Short: "Deliver an event again",
		Long: `Deliver an event again, through the triggers' rules and the checks of their roles as they are now.

It goes to each trigger that it did not reach or whose function failed; with --trigger to that one alone, even if it
succeeded there. The exit code is 1 if nothing was queued.`,
		Example: `  fcd event replay oss/photos/17
  fcd event replay oss/photos/17 --trigger demo/thumbnail/new-object`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			c, err := p.extensions()
			if err != nil {
				return err
			}
			q := url.Values{}
			if trigger != "" {
				q.Set("trigger", trigger)
			}
			a, err := c.Do(cmd.Context(), http.MethodPost, "/events/"+url.PathEscape(args[0])+"/replay", q, nil)
			if err != nil {
				return err
			}
			var done struct{ Replayed []fc.Replayed }
			if err := json.Unmarshal(a.Body, &done); err != nil {
				return err
			}
			return printReplayed(done.Replayed, output, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&trigger, "trigger", "t", "", "only to `SERVICE/FUNCTION/TRIGGER`")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func printReplayed(done []fc.Replayed, output string, out io.Writer) error {
	queued := 0
	for _, r := range done {
		if r.State == "queued" {
			queued++
		}
	}
	if output == "json" {
		if err := printJSON(done, out); err != nil {
			return err
		}
	} else {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, r := range done {
			text := why(r.State, r.Reason, r.Detail, 0, 0)
			if r.RequestID != "" {
				text = "request " + r.RequestID
			}
			fmt.Fprintf(table, "%s\t%s\t%s\n", r.Trigger, r.State, text)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if queued == 0 {
		return fmt.Errorf("no trigger took the event")
	}
	return nil
}
