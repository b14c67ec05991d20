package runtimes

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fcd/invoker/runtimes/frame"
)

// javaErrors are functions that fail, by the name of their golden.
var javaErrors = []struct {
	name    string
	handler string
	class   string
}{
	{"the guide's exception", "example.HelloFC::handleRequest", frame.ClassUnhandled},
	{"an exception with a cause", "example.Errors$Cause::handleRequest", frame.ClassUnhandled},
	{"an exception without a message", "example.Errors$NoMessage::handleRequest", frame.ClassUnhandled},
	{"a cause without a message", "example.Errors$CauseWithoutMessage::handleRequest", frame.ClassUnhandled},
	{"a message of many lines", "example.Errors$Lines::handleRequest", frame.ClassUnhandled},
	{"an exception that throws when it is shown", "example.Errors$Unshowable::handleRequest", frame.ClassUnhandled},
	{"an error of the machine's kind", "example.Errors$AnError::handleRequest", frame.ClassUnhandled},
	{"a constructor that throws", "example.Errors$Constructor::handleRequest", frame.ClassUnhandled},
	{"no constructor without parameters", "example.Errors$Parameters::handleRequest", frame.ClassNoHandler},
	{"an abstract class", "example.Text::handleRequest", frame.ClassNoHandler},
	{"a class of another kind", "example.Errors$OtherKind::handleRequest", frame.ClassNoHandler},
	{"a class of the library", "java.lang.String::handleRequest", frame.ClassNoHandler},
	{"a missing class", "example.App::handleRequest", frame.ClassImport},
	{"a missing method", "example.Echo::handle", frame.ClassNoHandler},
	{"a handler without colons", "example.Echo", frame.ClassNoHandler},
	{"a handler without a method", "example.Echo::", frame.ClassNoHandler},
	{"a handler without a class", "::handleRequest", frame.ClassNoHandler},
	{"a handler of another language", "index.handler", frame.ClassNoHandler},
}

func TestJavaErrors(t *testing.T) {
	onEach(t, "java", func(t *testing.T, in interpreter) {
		want := openGolden(t, "errors-java.json")
		for _, tt := range javaErrors {
			t.Run(tt.name, func(t *testing.T) {
				p := startHandler(t, in, tt.handler)
				for _, id := range []string{"r1", "r2"} { // the process stays
					got := p.invoke(id, "")
					if got.Type != frame.TypeUnhandled || got.Class != tt.class || got.Exit {
						t.Errorf("type %d, class %s, exit %v", got.Type, got.Class, got.Exit)
					}
					want.check(t, tt.name, string(got.Body))
					log := unstamped(p.lines(id))
					if len(log) != 1 || log[0] != "TIME "+id+" ERROR "+strings.ReplaceAll(string(got.Body), "\n", "\r") {
						t.Errorf("log %q", log)
					}
				}
			})
		}
	})
}

// What the machine itself says differs between its versions.
func TestJavaErrorsOfTheMachine(t *testing.T) {
	tests := []struct {
		name, handler, class string
		want                 []string
	}{
		{"a class that the handler needs", "example.Errors$NeedsGone::handleRequest", frame.ClassUnhandled,
			[]string{`"errorMessage" : "example/Gone"`, `"errorType" : "java.lang.NoClassDefFoundError"`, `"errorCause" : "example.Gone"`, "example.Errors$NeedsGone.handleRequest(Errors.java:"}},
		{"a class that the handler extends", "example.Errors$ExtendsGone::handleRequest", frame.ClassImport,
			[]string{`"errorMessage" : "example/Gone"`, `"errorType" : "java.lang.NoClassDefFoundError"`}},
		{"a broken class file", "example.Broken::handleRequest", frame.ClassImport, []string{`"errorType" : "java.lang.ClassFormatError"`, "example/Broken"}},
		{"an endless recursion", "example.Errors$Deep::handleRequest", frame.ClassUnhandled,
			[]string{`"errorMessage" : null`, `"errorType" : "java.lang.StackOverflowError"`, "example.Errors$Deep.handleRequest(Errors.java:"}},
		{"a static block that throws", "example.Errors$Static::handleRequest", frame.ClassUnhandled,
			[]string{`"errorMessage" : "in a static block"`, `"errorType" : "java.lang.IllegalStateException"`, `[ "example.Errors$Static.<clinit>(Errors.java:`}},
	}
	onEach(t, "java", func(t *testing.T, in interpreter) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p := startHandler(t, in, tt.handler)
				if err := errors.Join(os.Remove(filepath.Join(p.code, "example/Gone.class")),
					os.WriteFile(filepath.Join(p.code, "example/Broken.class"), []byte("no class at all"), 0o644)); err != nil {
					t.Fatal(err)
				}
				got := p.invoke("r1", "")
				if got.Type != frame.TypeUnhandled || got.Class != tt.class {
					t.Errorf("type %d, class %s", got.Type, got.Class)
				}
				for _, part := range tt.want {
					if !strings.Contains(string(got.Body), part) {
						t.Errorf("%s is not in %.1000s", part, got.Body)
					}
				}
				if strings.Contains(string(got.Body), "fcd.bootstrap") {
					t.Errorf("frames that are not the user's in %s", got.Body)
				}
			})
		}
	})
}

func TestJavaExits(t *testing.T) {
	tests := []struct {
		event string
		want  int
		log   string
	}{
		{"exit", 3, "unfinished"},
		{"halt", 4, "unfinished"},
		{"thread", 5, "unfinished"},
		{"hook", 6, "unfinishedhook"},
		{"heap", 3, "unfinishedTerminating due to java.lang.OutOfMemoryError: Java heap space"},
	}
	onEach(t, "java", func(t *testing.T, in interpreter) {
		for _, tt := range tests {
			t.Run(tt.event, func(t *testing.T) {
				p := startHandler(t, in, "example.Exits::handleRequest")
				if got := p.invoke("r1", tt.event); got.Type != 0 {
					t.Errorf("an answer: %+v", got)
				}
				if code := p.exit(); code != tt.want {
					t.Errorf("exit code %d, want %d", code, tt.want)
				}
				if log := strings.Join(p.logs[0].of("r1", false), "|"); log != tt.log {
					t.Errorf("log %q", log)
				}
			})
		}
	})
}
