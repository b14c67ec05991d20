package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fcd/api/client"
)

// letter is a dead letter as the API shows it.
type letter struct {
	RequestID    string    `json:"requestId"`
	InvocationID string    `json:"invocationId,omitempty"`
	Function     string    `json:"function"`
	Trigger      string    `json:"trigger,omitempty"`
	Cause        string    `json:"cause"`
	Attempts     int       `json:"attempts"`
	Enqueued     time.Time `json:"enqueued"`
	Ended        time.Time `json:"ended"`
	SizeBytes    int       `json:"sizeBytes"`
	Log          *struct {
		Project  string `json:"project"`
		Logstore string `json:"logstore"`
		Query    string `json:"query"`
	} `json:"log,omitempty"`
	Payload []byte `json:"payload,omitempty"`
}

// letterFlags are what the subcommands share.
type letterFlags struct {
	function, output string
	all              bool
}

// client is for fcd's own operations; usage error if the flags are not right.
func (f *letterFlags) client(p *profile) (*client.Client, error) {
	if f.output != "text" && f.output != "json" {
		return nil, usagef("--output is %q: it must be text or json", f.output)
	}
	return p.extensions()
}

// change asks for something to be done with the dead letters that args and flags name: behind them in the path is what.
func (f *letterFlags) change(cmd *cobra.Command, p *profile, args []string, method, what string) (*client.Answer, error) {
	q, err := f.which(args)
	if err != nil {
		return nil, err
	}
	c, err := f.client(p)
	if err != nil {
		return nil, err
	}
	path := "/deadletters"
	for _, id := range args {
		path += "/" + url.PathEscape(id)
	}
	return c.Do(cmd.Context(), method, path+what, q, nil)
}

// which is the query that names one function's letters or all; usage error if a change names neither or both.
func (f *letterFlags) which(args []string) (url.Values, error) {
	named := 0
	q := url.Values{}
	if f.function != "" {
		named++
		q.Set("function", f.function)
	}
	if f.all {
		named++
		q.Set("all", "true")
	}
	if named+len(args) != 1 {
		return nil, usagef("name one dead letter by its request id, a function by --function, or all by --all")
	}
	return q, nil
}

func newDeadLetter(p *profile) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deadletter",
		Short: "See, redo or forget invocations that did not come to a good end",
		Long: `A dead letter is an asynchronous invocation that has used up its attempts or its time, an event that a check refused,
or the message to a destination that would not take it. It is kept with its payload and its cause until it is redriven,
purged, or dropped for its age (deadLetters in the configuration).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDeadLetterList(p), newDeadLetterShow(p), newDeadLetterRedrive(p), newDeadLetterPurge(p))
	return cmd
}

// extensions is a client for fcd's own operations.
func (p *profile) extensions() (*client.Client, error) {
	e, err := p.endpoint()
	if err != nil {
		return nil, err
	}
	c := client.New(e.API, e.AccessKeyID, e.AccessKeySecret)
	c.Base = client.Extensions
	return c, nil
}

func newDeadLetterList(p *profile) *cobra.Command {
	var f letterFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, the oldest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client(p)
			if err != nil {
				return err
			}
			all := []letter{}
			q := url.Values{"limit": {"100"}}
			if f.function != "" {
				q.Set("function", f.function)
			}
			for {
				a, err := c.Do(cmd.Context(), http.MethodGet, "/deadletters", q, nil)
				if err != nil {
					return err
				}
				var page struct {
					DeadLetters []letter
					NextToken   string
				}
				if err := json.Unmarshal(a.Body, &page); err != nil {
					return err
				}
				all = append(all, page.DeadLetters...)
				if page.NextToken == "" {
					break
				}
				q.Set("nextToken", page.NextToken)
			}
			slices.SortFunc(all, func(a, b letter) int { return a.Ended.Compare(b.Ended) })
			return printLetters(all, f.output, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&f.function, "function", "f", "", "only those of SERVICE[.QUALIFIER]/FUNCTION, or of what stands in its place in the list")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	return cmd
}

func printLetters(all []letter, output string, out io.Writer) error {
	if output == "json" {
		return printJSON(all, out)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "REQUEST ID\tFUNCTION\tENDED\tATTEMPTS\tBYTES\tCAUSE")
	for _, l := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\n", l.RequestID, l.Function, l.Ended.Local().Format(time.DateTime), l.Attempts, l.SizeBytes, firstLine(l.Cause))
	}
	return table.Flush()
}

func printJSON(v any, out io.Writer) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// firstLine is what fits a table of a text.
func firstLine(s string) string {
	const width = 100
	for i, r := range s {
		if r == '\n' || i >= width {
			return s[:i] + "…"
		}
	}
	return s
}

func newDeadLetterShow(p *profile) *cobra.Command {
	var f letterFlags
	cmd := &cobra.Command{
		Use:   "show REQUEST-ID",
		Short: "Show a dead letter with its payload",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.client(p)
			if err != nil {
				return err
			}
			a, err := c.Do(cmd.Context(), http.MethodGet, "/deadletters/"+url.PathEscape(args[0]), nil, nil)
			if err != nil {
				return err
			}
			var l letter
			if err := json.Unmarshal(a.Body, &l); err != nil {
				return err
			}
			if f.output == "json" {
				return printJSON(l, cmd.OutOrStdout())
			}
			return l.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json; in json the payload is base64")
	return cmd
}

func (l *letter) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{{"request id", l.RequestID}, {"invocation id", l.InvocationID}, {"function", l.Function}, {"trigger", l.Trigger},
		{"accepted", l.Enqueued.Local().Format(time.DateTime)}, {"ended", l.Ended.Local().Format(time.DateTime)},
		{"attempts", fmt.Sprint(l.Attempts)}, {"cause", l.Cause}, {"log", l.logPlace()}} {
		if row[1] != "" {
			fmt.Fprintf(table, "%s\t%s\n", row[0], row[1])
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%s\n", l.Payload)
	return err
}

func (l *letter) logPlace() string {
	if l.Log == nil {
		return ""
	}
	return fmt.Sprintf("%s/%s, %s", l.Log.Project, l.Log.Logstore, l.Log.Query)
}

func newDeadLetterRedrive(p *profile) *cobra.Command {
	var f letterFlags
	cmd := &cobra.Command{
		Use:   "redrive REQUEST-ID | --function SERVICE/FUNCTION | --all",
		Short: "Put dead letters back into the queue",
		Long: `Put dead letters back into the queue, under their request ids and with all their attempts before them. An event that a
check had refused is checked again. The exit code is 1 if one was refused.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.change(cmd, p, args, http.MethodPost, "/redrive")
			if err != nil {
				return err
			}
			var done struct {
				Redriven int `json:"redriven"`
				Refused  []struct {
					RequestID string `json:"requestId"`
					Reason    string `json:"reason"`
				} `json:"refused"`
			}
			if err := json.Unmarshal(a.Body, &done); err != nil {
				return err
			}
			if f.output == "json" {
				err = printJSON(done, cmd.OutOrStdout())
			} else {
				fmt.Fprintf(cmd.OutOrStdout(), "%d redriven\n", done.Redriven)
				for _, r := range done.Refused {
					fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", r.RequestID, r.Reason)
				}
			}
			if err == nil && len(done.Refused) > 0 {
				err = fmt.Errorf("%d dead letters were refused again", len(done.Refused))
			}
			return err
		},
	}
	f.addChange(cmd)
	return cmd
}

func newDeadLetterPurge(p *profile) *cobra.Command {
	var f letterFlags
	cmd := &cobra.Command{
		Use:   "purge REQUEST-ID | --function SERVICE/FUNCTION | --all",
		Short: "Forget dead letters for good",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := f.change(cmd, p, args, http.MethodDelete, "")
			if err != nil {
				return err
			}
			purged := "1"
			if n := a.Header.Get("X-Fcd-Purged"); n != "" {
				purged = n
			}
			if f.output == "json" {
				return printJSON(map[string]json.Number{"purged": json.Number(purged)}, cmd.OutOrStdout())
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s purged\n", purged)
			return err
		},
	}
	f.addChange(cmd)
	return cmd
}

func (f *letterFlags) addChange(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.function, "function", "f", "", "all of SERVICE[.QUALIFIER]/FUNCTION")
	cmd.Flags().BoolVar(&f.all, "all", false, "all there are")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
}
