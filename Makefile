# The verbs. Newcomers need two: `make run` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export CARGO_TARGET_DIR ?= $(CURDIR)/target
export PATH := $(PATH):/usr/local/go/bin:/usr/sbin:/sbin

export NOVA_LAB ?= $(CARGO_TARGET_DIR)/nova-lab

TOOLS := $(CARGO_TARGET_DIR)/tools
CLUSTER := e2e/cluster/run
# The cluster of `make run`; tests make and remove their own.
NAME := run

##@ The two commands

run: images ## Build everything, start a local cluster, install Kilonova, serve an API over TLS and ask it
	e2e/quickstart $(NAME)

test: ## All tests at reduced figures: unit, the real program on loopback, and a cluster of their own
	e2e/packages postgresql mariadb-server-core mariadb-client-core prometheus
	cargo test --locked --workspace --exclude kilonova-e2e
	$(CLUSTER) test
	$(MAKE) images
	FULL= NODES=2 e2e/in-cluster e2e/behaviour

##@ More

stop: ## Take down what `make run` started
	$(CLUSTER) down $(NAME)

test-full: ## The contract's figures, by part: make test-full PART=server|cluster|operator
	e2e/full $(PART)

bench-server: ## What the server costs: beside a bare hyper server and, once nova-lab is there, the real nova
	cargo build --locked --release -p kilonova-server
	cargo build --locked --release -p kilonova-bench
	$(CARGO_TARGET_DIR)/release/kilonova-bench run $(CARGO_TARGET_DIR)/release/kilonova-server \
	  $(if $(wildcard $(NOVA_LAB)/db/made),--nova e2e/nova-lab/serve)

nova-lab: ## Lay out the real nova 34 under uWSGI, from PyPI, to measure against
	e2e/nova-lab/layout

check: $(TOOLS)/bin/cargo-deny $(TOOLS)/bin/cargo-machete ## Everything a reviewer should not have to look for
	cargo fmt --all --check
	unformatted=$$(gofmt -l e2e/cluster); test -z "$$unformatted"
	cargo clippy --locked --workspace --all-targets -- -D warnings
	$(TOOLS)/bin/cargo-deny --offline --all-features check bans licenses sources
	$(TOOLS)/bin/cargo-machete
	cargo test --locked --workspace --test manifests
	$(CLUSTER) build
	diff <(e2e/render) manifests/install.yaml

manifests: ## Write the generated files anew: manifests/ and the chart's CRD
	UPDATE=1 cargo test --locked --workspace --test manifests
	$(CLUSTER) build
	e2e/render > manifests/install.yaml

images: ## Build both images; their names are printed
	cargo build --locked --release -p kilonova-operator -p kilonova-server
	e2e/images

install: ## Install into your own cluster: make install KUBECONFIG=… IMAGE=prefix:tag (prefix/operator, prefix/server)
	e2e/install

cluster-up: ## Start a local cluster: make cluster-up NAME=…
	$(CLUSTER) up $(NAME)

cluster-down: ## Take a local cluster down: make cluster-down NAME=…
	$(CLUSTER) down $(NAME)

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {print substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

$(TOOLS)/bin/cargo-deny:
	cargo install --debug --locked --no-default-features --root $(TOOLS) --target-dir $(TOOLS)/build cargo-deny@0.20.2

$(TOOLS)/bin/cargo-machete:
	cargo install --debug --locked --root $(TOOLS) --target-dir $(TOOLS)/build cargo-machete@0.9.2

.PHONY: run stop test test-full check images cluster-up cluster-down bench-server nova-lab manifests install help
