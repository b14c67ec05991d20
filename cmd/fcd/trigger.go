package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fcd/api/client"
)

// upcomingFires is how many instants of a timer are shown.
const upcomingFires = 5

func newTrigger(p *profile) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trigger",
		Short: "See triggers, and when timers fire next",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTriggerList(p), newTriggerShow(p))
	return cmd
}

// trigger is one as the API shows it, with its function and, of a timer, its next fires.
type trigger struct {
	Service        string          `json:"serviceName"`
	Function       string          `json:"functionName"`
	Name           string          `json:"triggerName"`
	ID             string          `json:"triggerId"`
	Type           string          `json:"triggerType"`
	Qualifier      string          `json:"qualifier,omitempty"`
	SourceARN      string          `json:"sourceArn,omitempty"`
	InvocationRole string          `json:"invocationRole,omitempty"`
	Config         json.RawMessage `json:"triggerConfig"`
	Created        string          `json:"createdTime"`
	LastModified   string          `json:"lastModifiedTime"`
	Next           []string        `json:"next,omitempty"`    // RFC 3339, UTC
	Warning        string          `json:"warning,omitempty"` // of a schedule that is probably not meant
}

// enabled tells what the configuration says of itself; kinds without a switch are on.
func (t trigger) enabled() bool {
	var c struct{ Enable, TriggerEnable *bool }
	on := json.Unmarshal(t.Config, &c) != nil
	return on || (c.Enable == nil || *c.Enable) && (c.TriggerEnable == nil || *c.TriggerEnable)
}

func newTriggerList(p *profile) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list [SERVICE[/FUNCTION]]",
		Short: "List triggers",
		Example: `  fcd trigger list
  fcd trigger list demo/thumbnail -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			service, function, err := listScope(args)
			if err != nil {
				return err
			}
			return withTriggers(p, output, func(l triggerLister) error {
				all, err := l.list(cmd.Context(), service, function)
				if err != nil {
					return err
				}
				return printTriggers(all, output, cmd.OutOrStdout())
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func listScope(args []string) (service, function string, err error) {
	if len(args) == 0 {
		return "", "", nil
	}
	if !strings.Contains(args[0], "/") {
		return args[0], "", nil
	}
	return functionName(args[0])
}

func newTriggerShow(p *profile) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "show SERVICE/FUNCTION/TRIGGER",
		Short:   "Show a trigger and, of a timer, when it fires next",
		Example: `  fcd trigger show demo/heartbeat/every-minute`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			parts := strings.Split(args[0], "/")
			if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
				return usagef("%q is not SERVICE/FUNCTION/TRIGGER", args[0])
			}
			return withTriggers(p, output, func(l triggerLister) error {
				t, err := l.show(cmd.Context(), parts[0], parts[1], parts[2])
				if err != nil {
					return err
				}
				return printTrigger(t, output, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func withTriggers(p *profile, output string, f func(triggerLister) error) error {
	if output != "text" && output != "json" {
		return usagef("--output is %q: it must be text or json", output)
	}
	e, err := p.endpoint()
	if err != nil {
		return err
	}
	api := client.New(e.API, e.AccessKeyID, e.AccessKeySecret)
	own := *api
	own.Base = client.Extensions
	return f(triggerLister{api, &own})
}

// triggerLister reads triggers of a daemon.
type triggerLister struct{ api, own *client.Client }

// list reads the triggers of a function, of all functions of a service, or of all services.
func (l triggerLister) list(ctx context.Context, service, function string) ([]trigger, error) {
	all := []trigger{}
	services, err := l.names(ctx, "/services", "services", "serviceName", service)
	if err != nil {
		return nil, err
	}
	for _, s := range services {
		functions, err := l.names(ctx, "/services/"+s+"/functions", "functions", "functionName", function)
		if err != nil {
			return nil, err
		}
		for _, f := range functions {
			err := l.each(ctx, "/services/"+s+"/functions/"+f+"/triggers", "triggers", func(raw json.RawMessage) error {
				t := trigger{Service: s, Function: f}
				err := json.Unmarshal(raw, &t)
				all = append(all, t)
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// names lists a collection's names, or is the one name given.
func (l triggerLister) names(ctx context.Context, path, collection, field, one string) (names []string, err error) {
	if one != "" {
		return []string{one}, nil
	}
	err = l.each(ctx, path, collection, func(raw json.RawMessage) error {
		var v map[string]any
		if err := json.Unmarshal(raw, &v); err != nil {
			return err
		}
		name, _ := v[field].(string)
		names = append(names, name)
		return nil
	})
	return names, err
}

// each calls f for every member of a collection, over all its pages.
func (l triggerLister) each(ctx context.Context, path, collection string, f func(json.RawMessage) error) error {
	q := url.Values{"limit": {"100"}}
	for {
		a, err := l.api.Do(ctx, http.MethodGet, path, q, nil)
		if err != nil {
			return err
		}
		var page map[string]json.RawMessage
		var members []json.RawMessage
		if err := json.Unmarshal(a.Body, &page); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := json.Unmarshal(page[collection], &members); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, m := range members {
			if err := f(m); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		var token string
		if len(page["nextToken"]) == 0 || json.Unmarshal(page["nextToken"], &token) != nil || token == "" {
			return nil
		}
		q.Set("nextToken", token)
	}
}

// show reads one trigger and, if it is a timer, when it fires next.
func (l triggerLister) show(ctx context.Context, service, function, name string) (trigger, error) {
	t := trigger{Service: service, Function: function}
	a, err := l.api.Do(ctx, http.MethodGet, "/services/"+service+"/functions/"+function+"/triggers/"+name, nil, nil)
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(a.Body, &t); err != nil {
		return t, fmt.Errorf("trigger %s: %w", name, err)
	}
	if t.Type != "timer" {
		return t, nil
	}
	a, err = l.own.Do(ctx, http.MethodGet, "/triggers/"+service+"/"+function+"/"+name+"/next", url.Values{"count": {fmt.Sprint(upcomingFires)}}, nil)
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(a.Body, &t)
}

func printTriggers(all []trigger, output string, w io.Writer) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(all)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TRIGGER\tTYPE\tON\tSOURCE\tQUALIFIER")
	for _, t := range all {
		fmt.Fprintf(table, "%s/%s/%s\t%s\t%s\t%s\t%s\n", t.Service, t.Function, t.Name, t.Type, yesNo(t.enabled()), dash(t.about()), dash(t.Qualifier))
	}
	return table.Flush()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// about is where a trigger's events come from: its source, or a timer's schedule.
func (t trigger) about() string {
	var c struct{ CronExpression string }
	if t.SourceARN == "" && json.Unmarshal(t.Config, &c) == nil {
		return c.CronExpression
	}
	return t.SourceARN
}

func printTrigger(t trigger, output string, w, errW io.Writer) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(t)
	}
	var config bytes.Buffer
	if err := json.Indent(&config, t.Config, "", "  "); err != nil {
		return err
	}
	for _, line := range [][2]string{
		{"trigger", t.Service + "/" + t.Function + "/" + t.Name}, {"type", t.Type}, {"on", yesNo(t.enabled())}, {"qualifier", t.Qualifier},
		{"source", t.SourceARN}, {"role", t.InvocationRole}, {"id", t.ID}, {"created", t.Created}, {"modified", t.LastModified},
		{"config", config.String()},
	} {
		if line[1] != "" {
			fmt.Fprintf(w, "%-9s  %s\n", line[0], line[1])
		}
	}
	for i, at := range t.Next {
		what := "next"
		if i > 0 {
			what = ""
		}
		fmt.Fprintf(w, "%-9s  %s%s\n", what, at, wallClock(at))
	}
	if t.Type == "timer" && !t.enabled() {
		fmt.Fprintln(w, "it is switched off: these are the fires that it would have")
	}
	if t.Warning != "" {
		fmt.Fprintln(errW, "warning:", t.Warning)
	}
	return nil
}

// wallClock adds an instant as the clock on this machine's wall has it, where that is not UTC.
func wallClock(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return ""
	}
	if _, offset := at.Local().Zone(); offset == 0 {
		return ""
	}
	return at.Local().Format("  (Mon 2006-01-02 15:04:05 MST)")
}
