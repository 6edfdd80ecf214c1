# veilid-cicd: one makefile for all of it. GNU make.
#
#   make             the tools, in build/bin, and build/libveilid-cicd.a
#   make check       all tests              make check T=deploy   those named so
#   make rehearse    a whole release on loopback, with real clients
#   make bench       speed, as ratios against what else there is
#   make lint        warnings, style, manuals, layers
#   make rehearse-pipeline   the same by .gitlab-ci.yml and gitlab-ci-local
#   make matrix      the clients of Debian 12, 13 and sid, in chroots; as root
#   make bare        rehearse and check on a Debian 12 and 13 that have nothing
#   make fuzz SECS=60   make install DESTDIR= PREFIX=   make deps   make clean
#   make install-scripts DIR=.../scripts/cicd   the names of the shell scripts
#                that these tools replace, for pipelines that call them
#
# MODE=asan (address and undefined behaviour), tsan (threads), debug; CC=clang.
# DEPS=no: install nothing, for a machine whose packages are managed elsewhere.

VERSION = 0.1.0
PREFIX = /usr/local
MODE = release
DEPS = yes
SECS = 60
# where a target builds first: as many at once as there are processors
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

BUILD = build$(if $(filter release,$(MODE)),,/$(MODE))
MODE_FLAGS_release = -O2 $(HARDENED)
MODE_FLAGS_debug = -Og
MODE_FLAGS_asan = -Og -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
MODE_FLAGS_tsan = -Og -fsanitize=thread

# What this compiler has of these; of the levels of _FORTIFY_SOURCE the highest
# that the C library knows. -U: some compilers define one themselves.
try = $(shell echo 'int main(void) { return 0; }' | \
	$(CC) -Werror -O2 $(1) -x c -c -o /dev/null - 2>/dev/null && echo '$(1)')
fortify = $(shell printf '%s\n' '\#include <stdlib.h>' \
	'\#if __USE_FORTIFY_LEVEL < 3' '\#error' '\#endif' | \
	$(CC) -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -x c -E -o /dev/null - \
	2>/dev/null && echo 3 || echo 2)
ifeq ($(MODE),release)
HARDENED := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(fortify) \
	$(call try,-fcf-protection) $(call try,-fstack-clash-protection) \
	$(call try,-ftrivial-auto-var-init=zero)
endif

# Of the caller, who adds to the rest: a packager's have the last word.
CFLAGS = -g
comma = ,
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	-DVERSION='"$(VERSION)"' -iquote . -pthread -fPIE \
	-fstack-protector-strong -Wall -Wextra -Werror -Wshadow \
	-Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Wformat=2 -MMD -MP $(MODE_FLAGS_$(MODE)) \
	$(if $(filter -O0 -D_FORTIFY_SOURCE% -Wp$(comma)-D_FORTIFY_SOURCE%,\
	$(CPPFLAGS) $(CFLAGS)),-U_FORTIFY_SOURCE) $(CPPFLAGS) $(CFLAGS)
LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed
LDLIBS = -larchive -lgpgme -lcurl -lssh -lcjson -linih -lz -lcrypto \
	-lseccomp

TOOLS = build-machine-ctl scp-to-orchestrator distribute-packages deploy-repo
MANUALS = $(wildcard man/*.[0-9])
EXAMPLES = $(wildcard examples/*.service examples/*.timer examples/*/*.conf)
LIB = $(BUILD)/libveilid-cicd.a
LIB_OBJECTS = $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard lib/*/*.c)))
BINARIES = $(TOOLS:%=$(BUILD)/bin/%)
UNIT_TESTS = $(patsubst tests/unit/%.c,$(BUILD)/tests/%,\
	$(sort $(wildcard tests/unit/test_*.c)))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all tests check rehearse rehearse-pipeline bench lint fuzz matrix \
	bare install install-scripts deps deps-build clean

all: $(BINARIES) $(LIB)

# Every compilation waits for the compiler and the libraries to be there.
deps-build:
ifeq ($(DEPS),yes)
	@tests/deps.sh build
endif

deps:
ifeq ($(DEPS),yes)
	@tests/deps.sh build test
endif

$(BUILD)/obj/%.o: %.c Makefile | deps-build
	@mkdir -p $(@D)
	@echo '  CC    $<'
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<

# by .incbin, which no compiler tells of
$(BUILD)/obj/build-machine-ctl/enrol.o: build-machine-ctl/enrol.sh

$(LIB): $(LIB_OBJECTS)
	@rm -f $@; mkdir -p $(@D)
	@echo '  AR    $@'
	@$(AR) rcs $@ $^

define TOOL_RULE
$(BUILD)/bin/$(1): $(patsubst %.c,$(BUILD)/obj/%.o,$(sort \
	$(wildcard $(1)/*.c $(1)/*/*.c))) $(LIB)
	@mkdir -p $$(@D)
	@echo '  LINK  $$@'
	@$$(CC) $$(ALL_CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(LDLIBS)
endef
$(foreach tool,$(TOOLS),$(eval $(call TOOL_RULE,$(tool))))

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	@echo '  LINK  $@'
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(BUILD)/tests/read_packages: $(BUILD)/obj/tests/e2e/read_packages.o $(LIB)
	@mkdir -p $(@D)
	@echo '  LINK  $@'
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# before libc, and before a sanitizer's library
$(BUILD)/tests/clock.so: tests/sim/clock.c Makefile | deps-build
	@mkdir -p $(@D)
	@echo '  CC    $<'
	@$(CC) -std=c17 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -fPIC -shared \
	    -o $@ $<

tests: all $(UNIT_TESTS) $(BUILD)/tests/clock.so \
	$(BUILD)/tests/read_packages

check: deps
ifeq ($(DEPS),yes)
	@tests/deps.sh check pipeline
	@tests/deps.sh debs $(BUILD)/debs
endif
	@$(MAKE) --no-print-directory $(JOBS) DEPS=no tests
	@BUILD=$(BUILD) tests/run.sh '$(T)'

rehearse: deps
	@$(MAKE) --no-print-directory $(JOBS) DEPS=no all
	@BUILD=$(BUILD) tests/rehearse.sh

rehearse-pipeline: deps
ifeq ($(DEPS),yes)
	@tests/deps.sh pipeline
endif
	@$(MAKE) --no-print-directory $(JOBS) DEPS=no all
	@BUILD=$(BUILD) tests/rehearse-pipeline.sh

bench:
ifeq ($(DEPS),yes)
	@tests/deps.sh build test bench
endif
	@$(MAKE) --no-print-directory $(JOBS) DEPS=no all
	@BUILD=$(BUILD) tests/bench/run.sh '$(T)'

lint:
ifeq ($(DEPS),yes)
	@tests/deps.sh build test lint
endif
	@$(MAKE) --no-print-directory $(JOBS) DEPS=no all
	@BUILD=$(BUILD) tests/lint.sh

fuzz:
ifeq ($(DEPS),yes)
	@tests/deps.sh build test lint
endif
	@tests/fuzz/run.sh $(SECS)

# Not part of check: sid is another one every day.
matrix:
ifeq ($(DEPS),yes)
	@tests/deps.sh build test matrix
endif
	@$(MAKE) --no-print-directory $(JOBS) DEPS=no all
	@BUILD=$(BUILD) tests/matrix/run.sh '$(T)'

bare:
ifeq ($(DEPS),yes)
	@tests/deps.sh matrix
endif
	@BUILD=$(BUILD) tests/bare.sh $(T)

SHARE = $(DESTDIR)$(PREFIX)/share

# $(call install-text,FILE,TO): the paths that manuals and units name are those
# of PREFIX. Others below /usr/local are of other machines, and stay.
install-text = install -D -m 644 $(1) $(2) && \
	sed 's,/usr/local/\(bin\|share\)/,$(PREFIX)/\1/,g' $(1) >$(2)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin
	install $(BINARIES) $(DESTDIR)$(PREFIX)/bin
	for f in veilid-cicd.conf.example README.md CHANGES LICENSE \
	    $(EXAMPLES); do \
	    $(call install-text,$$f,$(SHARE)/doc/veilid-cicd/$$f) || exit 1; done
	install -m 644 .gitlab-ci.yml \
	    $(SHARE)/doc/veilid-cicd/examples/gitlab-ci.yml
	install -d $(SHARE)/veilid-cicd/rpm-builder
	install -m 644 distribute-packages/container/Dockerfile \
	    $(SHARE)/veilid-cicd/rpm-builder
	install distribute-packages/container/sign-rpms.sh \
	    $(SHARE)/veilid-cicd/rpm-builder
	for m in $(MANUALS); do \
	    $(call install-text,$$m,$(SHARE)/man/man$${m##*.}/$${m##*/}) || \
	    exit 1; done
	for t in $(TOOLS); do install -D -m 644 man/completions.bash \
	    $(SHARE)/bash-completion/completions/$$t || exit 1; done

SCRIPTS = build-orchestration/build-machine-ctl \
	build-orchestration/distribute-packages \
	build-machine/scp-to-orchestrator repo-server/deploy-repo

install-scripts:
	$(if $(DIR),,$(error DIR is not set: make install-scripts \
	    DIR=.../scripts/cicd))
	for s in $(SCRIPTS); do \
	    install -d "$(DIR)/$${s%/*}" && \
	    printf '#!/bin/sh\nexec %s "$$@"\n' "$${s#*/}" >"$(DIR)/$$s.sh" && \
	    chmod 755 "$(DIR)/$$s.sh" || exit 1; done

clean:
	rm -rf build

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
