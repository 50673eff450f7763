# One door for people. Every target installs what it needs first; second runs are fast.
SHELL := /bin/bash
.DEFAULT_GOAL := help
NPM := npm --loglevel=error
UNIT := PORTCULLIS_RESULTS=.results/unit.json $(NPM) run --silent test:unit --
E2E := PORTCULLIS_RESULTS=.results/e2e.json $(NPM) run --silent test:e2e --
VITEST := $(NPM) exec --no -- vitest run --config e2e/vitest.config.ts
KUBERNETES := PORTCULLIS_RESULTS=.results/kubernetes.json $(VITEST) --project kubernetes
CLUSTER := PORTCULLIS_RESULTS=.results/cluster.json $(VITEST) --project cluster
say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help run dev test e2e check kubernetes bench soak fuzz golden crds manifests build clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## install, build and start the gateway on http://localhost:8080 (a demo upstream without ANTHROPIC_API_KEY)
	@$(NPM) exec --no -- portcullis run $(if $(ANTHROPIC_API_KEY),,--demo) crds/samples/quickstart.yaml

dev: node_modules ## the same from sources, restarting when a source changes
	@$(NPM) exec --no -- node --watch dataplane/main.ts run $(if $(ANTHROPIC_API_KEY),,--demo) crds/samples/quickstart.yaml

check: node_modules ## format, lint, types and fast tests; run it before each commit
	$(call say,format)
	@$(NPM) run --silent format:check
	$(call say,lint)
	@$(NPM) run --silent lint
	$(call say,types)
	@$(NPM) run --silent types
	$(call say,fast tests)
	@$(UNIT)

test: check build python kubernetes ## everything that needs no cluster: check, a real API server, the real Claude Code and the official SDKs
	$(call say,operator and pods against a real API server)
	@$(KUBERNETES)
	$(call say,journeys with real clients)
	@$(E2E)

e2e: build ## a cluster of one node with real pods, Services and DNS; needs root
	$(call say,Kubernetes: built once for each version; a cold machine takes 15 minutes)
	@e2e/harness/kubernetes/build.sh control-plane cluster tools
	$(call say,journeys in a cluster)
	@$(CLUSTER)

kubernetes: ## build the control plane and the chart tools that make test needs
	$(call say,Kubernetes control plane: built once for each version; a cold machine takes 10 minutes)
	@e2e/harness/kubernetes/build.sh control-plane tools

bench: build nginx kubernetes ## measure against nginx and a bare forwarder, and the operator at growing numbers of keys; PHASES=operator for a part
	@BENCH_PHASES=$(PHASES) $(NPM) exec --no -- node e2e/bench/main.ts

soak: build kubernetes ## hours of mixed load, churn and faults in SOAK_MINUTES (3) each: memory, sockets, slots, timers and objects must stay flat; PARTS=dataplane or operator for one
	@SOAK_PARTS=$(PARTS) $(NPM) exec --no -- node e2e/soak/main.ts

fuzz: node_modules ## the scanners and the running server against millions of hostile inputs
	@FUZZ_SCALE=100 $(VITEST) --project unit dataplane/wire --testTimeout 1200000
	@FUZZ_SCALE=20 $(VITEST) --project unit e2e/behaviour/hostile.test.ts --testTimeout 1200000

golden: node_modules ## rewrite the golden files of the compile step
	@UPDATE_GOLDEN=1 $(VITEST) --project unit shared/compile/golden.test.ts

crds: node_modules ## rewrite crds/*.yaml from the schemas in shared/api
	@$(NPM) exec --no -- node shared/api/generate-crds.ts

manifests: node_modules kubernetes ## rewrite charts/install.yaml and the goldens of the charts
	@UPDATE_GOLDEN=1 $(VITEST) --project kubernetes e2e/charts/render.test.ts

build: node_modules ## bundle the programs into dist/
	$(call say,build)
	@$(NPM) run --silent build

clean: ## remove everything that is not source
	rm -rf node_modules dist .results .portcullis

node_modules: package.json package-lock.json
	$(call say,install npm packages)
	@$(NPM) ci
	@touch node_modules

# Python's venv module is a package of its own on Debian; the SDK journeys make their environment with it.
.PHONY: python nginx
python:
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { printf '==> install python3-venv\n'; apt-get update -qq && apt-get install -y -qq python3 python3-venv; }

nginx:
	@command -v nginx >/dev/null || { printf '==> install nginx\n'; apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light; }
