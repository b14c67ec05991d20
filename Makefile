# fcd. `make help` lists what can be made.

SHELL    := /bin/bash
BIN      := bin/fcd
CACHE    := .cache
NPM      := $(CACHE)/clients
FUZZTIME ?= 3s
DATA     ?= data
KILLS    ?= 200
GVISOR   := v0.0.0-20260905035102-160fafc42237

# The interpreters that functions run in, fetched once for the demo, the tests and `make run`.
export FCD_RUNTIMES_DIR ?= $(CURDIR)/$(CACHE)/runtimes

.DEFAULT_GOAL := help
.PHONY: help build demo run test bench cgroup2 runsc leaks kills soak crash faults fuzz layers clean deps-demo deps-test runtimes-demo runtimes-test examples FORCE

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

build: $(BIN) ## build bin/fcd, one static binary

$(BIN): FORCE
	@CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $(BIN) ./cmd/fcd

FORCE:

demo: deps-demo build examples runtimes-demo ## put a picture, see its thumbnail made and logged, a timer fire; under a minute
	@$(BIN) demo --examples examples --out $(CACHE)/demo

run: deps-demo build runtimes-demo ## start the daemon on ./data and leave it running (DATA=DIR for another place)
	@$(BIN) serve --data-dir $(DATA)

test: deps-test build runtimes-test ## run every test, with the race detector, and each fuzz target for some seconds
	@test -z "$$(gofmt -l .)" || { echo 'gofmt would change:'; gofmt -l .; exit 1; }
	go vet ./...
	FCD_TEST_NPM=$(CURDIR)/$(NPM) FCD_TEST_BIN=$(CURDIR)/$(BIN) CGO_ENABLED=1 go test -race -timeout 25m ./...
	@deploy/fuzz.sh $(FUZZTIME)

bench: deps-demo build ## measure fcd against bare interpreters, servers and files (QUICK=1: under a minute)
	@CGO_ENABLED=0 go build -o bin/bench ./bench
	@bin/bench $(if $(QUICK),-quick) $(BENCHFLAGS)

leaks: runtimes-test ## call functions 10000 times, kill 500 of them, look for what is left behind
	FCD_LEAK=long go test -count=1 -timeout 30m -v -run TestNothingIsLeftBehind ./e2e/conformance

kills: deps-test build runtimes-test ## kill, 200 times each, a daemon whose timers and log trigger fire, and what takes events from outside; count lost and doubled
	FCD_KILLS=$(or $(KILLS),200) FCD_TEST_BIN=$(CURDIR)/$(BIN) go test -count=1 -timeout 60m -v -run TestKillsLoseNoFire ./e2e
	FCD_KILLS=$(or $(KILLS),200) go test -count=1 -timeout 30m -v -run TestKillBetweenDispatchAndAcknowledgement ./triggers/ways

soak: deps-test runtimes-test ## five minutes of full load with exits, timeouts and evictions (SOAK=5m)
	FCD_SOAK=$(or $(SOAK),5m) go test -count=1 -timeout 60m -v -run 'TestSoak$$' ./e2e

crash: deps-test build runtimes-demo ## kill the daemon, cut its power, fill its disk, under load (KILLS=10: short)
	FCD_KILLS=$(KILLS) FCD_CRASH_KILLS=$(KILLS) FCD_CRASH_ROUNDS=$(KILLS) FCD_TEST_BIN=$(CURDIR)/$(BIN) go test -count=1 -timeout 90m -v -p 1 \
		-run 'Kill|PowerCut|Power|FullDisk|ReadOnly|HeldByAnother|Disk|Faults|Flush' ./e2e ./store/sqlite ./logsink/... ./triggers/ways \
		| grep --line-buffered -E '^(crash:|--- |ok|FAIL|panic| +[a-z_]+\.go|make)' ; exit $${PIPESTATUS[0]}

faults: deps-test build runtimes-demo ## let each change of the disk fail or be the last one in turn, set the clock, and have the cloud refuse, hang and lie
	FCD_FAULTS=long FCD_TEST_BIN=$(CURDIR)/$(BIN) go test -count=1 -timeout 90m -v -p 1 \
		-run 'EachSite|EverySite|EachChange|ClockThatIsSet|BadDay|BackupUnderLoad' ./e2e ./invoker/runtimes/install \
		| grep --line-buffered -E '^(crash:|--- |ok|FAIL|panic| +[a-z_]+\.go|make)' ; exit $${PIPESTATUS[0]}

cgroup2: ## run the sandbox suite in a virtual machine whose cgroups are of version 2 alone (ACCEL=kvm where that works)
	@deploy/cgroup2.sh $(CACHE)/cgroup2

runsc: deps-test ## build gVisor's runtime and run the sandbox suite against it, without and with the internet
	@mkdir -p $(CACHE)/gvisor
	@test -x $(CACHE)/gvisor/runsc || GOBIN=$(CURDIR)/$(CACHE)/gvisor CGO_ENABLED=0 go install gvisor.dev/gvisor/runsc@$(GVISOR)
	FCD_TEST_RUNSC=$(CURDIR)/$(CACHE)/gvisor/runsc go test -count=1 -timeout 15m -v -run 'OfGVisor$$' ./invoker/sandbox/oci

fuzz: ## run each fuzz target longer (FUZZTIME=60s)
	@deploy/fuzz.sh $(FUZZTIME)

layers: ## check that no package imports upward
	go test -count=1 -run TestLayers ./e2e

clean: ## remove what was built and fetched
	rm -rf bin $(CACHE) examples/image-resize/node_modules

deps-demo:
	@deploy/deps.sh demo

deps-test: examples
	@deploy/deps.sh test
	@deploy/npm.sh e2e/clients $(NPM)

runtimes-demo: deps-demo build
	@$(BIN) runtimes install --accept-new nodejs8

runtimes-test: deps-test build
	@$(BIN) runtimes install --accept-new all

examples: deps-demo
	@deploy/npm.sh examples/image-resize examples/image-resize
