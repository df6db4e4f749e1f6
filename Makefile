# The front door. Everything real is in Meson and in scripts/; this file only names it.
#
#   make demo      installs what is missing, builds, and shows cn_monitor at work (KEEP=1 stays up;
#                  STORE=redis: over a real Redis, each role as a process of its own)
#   make test      installs what is missing, builds, runs all tests; as root on Debian test-deploy, too
#   make bench     installs what is missing, builds, measures (QUICK=1, PARTS="rules jobs", JSON=FILE)
#   make soak      what takes too long for each time: a million pairs of rules and events, 100,000 random histories (HISTORIES=n), a hundred
#                  with echoes
#   make test-deploy   tests deploy/: containers, compose, Kubernetes manifests, systemd (as root)
#   make test-kubernetes   rolls deploy/kubernetes out in a real one-node cluster (as root, slow)
#   make build     builds into build/release
#   make install   installs (PREFIX=/usr/local, DESTDIR=)
#   make clean     removes what was built

PREFIX ?= /usr/local
BUILD := build/release

.PHONY: demo test bench soak test-deploy test-kubernetes build install clean deps format

demo: build
	@scripts/install-deps demo$(if $(filter redis,$(STORE)),-redis)
	@/usr/bin/python3 scripts/demo --build $(BUILD) $(if $(STORE),--store $(STORE)) $(if $(KEEP),--keep)

test:
	@scripts/install-deps test
	@/usr/bin/python3 scripts/test

bench: build
	@scripts/install-deps bench
	@ninja -C $(BUILD) bench_programs
	@scripts/bench --build $(BUILD) $(if $(QUICK),--quick) $(if $(JSON),--json $(JSON)) $(PARTS)

soak: build
	@scripts/install-deps test
	@ninja -C $(BUILD) tests/unit/test_rule_index histories_programs
	@CN_FULL=1 $(BUILD)/tests/unit/test_rule_index
	@CN_BUILD=$(abspath $(BUILD)) /usr/bin/python3 tests/histories/histories.py --strict --count $(or $(HISTORIES),100000)
	@CN_FULL=1 CN_BUILD=$(abspath $(BUILD)) /usr/bin/python3 -m pytest -q -n 3 --timeout=240 -p no:cacheprovider tests/e2e/test_echoes.py -k no_own_event

test-deploy:
	@/usr/bin/python3 scripts/test-deploy

test-kubernetes:
	@/usr/bin/python3 scripts/test-kubernetes

build: deps
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) --buildtype=release --prefix=$(PREFIX) >$(BUILD).log 2>&1 || \
		(cat $(BUILD).log; false)
	@ninja -C $(BUILD) programs

deps:
	@mkdir -p build
	@scripts/install-deps build

install: build
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@ninja -C $(BUILD) programs
	@meson install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

# Lays out the C files as .clang-format says.
format:
	@git ls-files '*.c' '*.h' '*.cc' | xargs clang-format -i

clean:
	@rm -rf build demo-run
