# Everything that a person does here. `make help` lists it; set-up happens by itself.
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
# Node 24 from the lockfile where the system's is older, and the folders that a login shell may lack.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH):/usr/local/go/bin:/usr/sbin:/sbin
CACHE := $(or $(TASKMILL_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/taskmill)

.DEFAULT_GOAL := help
.PHONY: help demo demo-down test test-fast test-changed soak check generate bench image cluster-up cluster-down clean setup-node setup node-ready

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / && $$1 != "help" { printf "  %-13s %s\n", $$1, $$2 }' Makefile

demo: node-ready ## a cluster, the chart, real jobs and schedules, live; the cluster stays up
	@node hack/demo/main.ts

demo-down: setup-node ## take away what the demo installed; the cluster stays up
	@node hack/demo/main.ts down

test: setup ## everything that CI runs; FILES="test/fault executions" runs the tests whose paths hold one of the words
	@node hack/test.ts $(FILES)

test-fast: setup ## the checks, and the tests that need neither a node nor faults
	@node hack/test.ts --fast

test-changed: setup ## the tests that the difference to main can break, without those on the node
	@node hack/test.ts --changed

soak: setup ## long runs of the tests that draw at random, and the full scale, twice; SEED=1 repeats one, ONLY=lane-2 a part of it
	@node hack/test.ts --soak

check: setup-node ## generated files, types, lint, unused code, architecture
	@node hack/check.ts

generate: setup-node ## write CRDs and API reference from the sources
	@node hack/generate.ts

bench: setup ## benchmarks, as tables; BENCHES="wake idle" runs some, SCALE_PERCENT=100 the full scale
	@node test/bench/main.ts $(BENCHES)

image: setup ## the image localhost/taskmill:dev
	@node hack/image/main.ts product

cluster-up: setup ## a real one-node Kubernetes (kind, or native without Docker)
	@node hack/cluster/main.ts up

cluster-down: setup-node ## take the cluster down and leave nothing of it
	@node hack/cluster/main.ts down

clean: ## remove build outputs; the cache stays
	@rm -rf dist .stamps
	@echo "removed dist and .stamps. Programs and images are kept in $(CACHE): rm -rf $(CACHE) removes them too"

# Set-up. The script does nothing when there is nothing to do (stamp files in .stamps/).
setup-node:
	@hack/setup.sh node

setup:
	@hack/setup.sh node system

node-ready: cluster-up
	@node hack/image/main.ts redis product --load
