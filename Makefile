# Takt. One Makefile, not recursive; everything it makes is under build/ and in node_modules/.
# `make help` lists the targets. V=release|debug|asan|tsan|fuzz|cov chooses the variant of what is
# built; UI=off builds without Node.
V ?= release
UI ?= on
B := build/$(V)
MAKEFLAGS += --no-builtin-rules --no-print-directory
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

CC := $(if $(filter fuzz,$(V)),clang-14,gcc)
CCACHE := $(shell command -v ccache)
PKGS := libnghttp2 libssl libcrypto libzstd liblz4 libdeflate libcurl yaml-0.1 libpcre2-8 sqlite3 libgit2

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wconversion -Wno-sign-conversion \
	-Wpointer-arith -Wwrite-strings -Werror
CFLAGS_all := -std=gnu17 -g -Isrc -D_GNU_SOURCE -fno-common -fstack-protector-strong -fPIE $(WARN)
CFLAGS_release := -O2 -march=x86-64-v2 -D_FORTIFY_SOURCE=2
CFLAGS_debug := -O0 -DTAKT_DEBUG
CFLAGS_asan := -O1 -DTAKT_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -DTAKT_DEBUG -fsanitize=thread
CFLAGS_fuzz := -O1 -DTAKT_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fsanitize=fuzzer-no-link -Wno-error
CFLAGS_cov := -O0 --coverage
CFLAGS = $(CFLAGS_all) $(PKG_CFLAGS) $(CFLAGS_$(V)) $(EXTRA_CFLAGS) $(REVISION_FLAG)
LDFLAGS := -pie -Wl,-z,relro,-z,now,--as-needed $(filter -fsanitize=address% -fsanitize=thread --coverage,$(CFLAGS_$(V)))
LIBS = $(PKG_LIBS) -lpthread -lm

.DEFAULT_GOAL := build
.PHONY: build demo test check unit seeds bench fuzz mutants fresh shots fmt install clean help
.DELETE_ON_ERROR:
.SECONDARY:

# --- what the machine must have -----------------------------------------------------------------
# A stamp per group of packages.txt, looked at again whenever dpkg installed or removed something.
build/.setup-%: packages.txt tools/setup $(wildcard /var/lib/dpkg/status)
	@tools/setup $* && mkdir -p build && touch $@
SETUP := build/.setup-build $(if $(filter on,$(UI)),build/.setup-ui)
build/.setup-ui build/.setup-fuzz: | build/.setup-build # one apt-get at a time
build/.setup-test: | $(SETUP)

# What this machine's pkg-config says, asked once.
build/pkg.mk: Makefile build/.setup-build
	@echo "PKG_CFLAGS := $$(pkg-config --cflags $(PKGS))" >$@.new
	@echo "PKG_LIBS := $$(pkg-config --libs $(PKGS))" >>$@.new
	@mv $@.new $@
ifneq ($(filter-out help clean fmt fresh,$(or $(MAKECMDGOALS),build)),)
include build/pkg.mk
endif

# npm packages of a folder, exactly as its lock file says. Their install scripts do not run.
%/node_modules/.stamp: %/package-lock.json | build/.setup-ui
	@echo "npm ci in $*"
	@cd $* && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# --- folders: sources, library, tests -----------------------------------------------------------
FOLDERS := $(shell sed -n 's/^\([a-z0-9]*\):.*/\1/p' src/deps.txt)
FOLDERS := $(foreach f,$(FOLDERS),$(if $(wildcard src/$(f)/*.c),$(f)))
$(foreach line,$(shell sed -n 's/^\([a-z0-9]*\): *\(.*\)/\1=\2/p' src/deps.txt | tr ' ' '+'),\
	$(eval DEPS_$(firstword $(subst =, ,$(line))) := $(subst +, ,$(word 2,$(subst =, ,$(line))))))
DEPS_app := $(filter-out app,$(FOLDERS))
# What a folder links: itself, all below it, and base. Libraries above their users, for the linker.
closure = $(1) $(foreach d,$(filter $(FOLDERS),$(DEPS_$(1))),$(call closure,$(d)))
links = $(filter $(call closure,$(1)) base,$(LINK_ORDER))
LINK_ORDER := app config api slo impact delivery intake vcs query ingest load block otlp net facts parquet wal object exec \
	traceql span stats http os base
lib_of = $(foreach f,$(1),$(B)/lib$(f).a)
objs = $(patsubst src/%.c,$(B)/obj/%.o,$(1))
folder_of = $(word 2,$(subst /, ,$(1)))

SRC_ALL := $(foreach f,$(FOLDERS),$(wildcard src/$(f)/*.c))
TEST_SRC := $(filter %_test.c,$(SRC_ALL))
FUZZ_SRC := $(filter %_fuzz.c,$(SRC_ALL))
BENCH_SRC := $(filter %_bench.c,$(SRC_ALL))
MAIN_SRC := src/base/test.c src/base/replay.c src/app/main.c
LIB_SRC := $(filter-out $(TEST_SRC) $(FUZZ_SRC) $(BENCH_SRC) $(MAIN_SRC),$(SRC_ALL))
TESTED := $(sort $(foreach t,$(TEST_SRC),$(call folder_of,$(t))))
FUZZED := $(patsubst %_fuzz.c,%,$(notdir $(FUZZ_SRC)))

$(B)/obj/%.o: src/%.c | build/pkg.mk
	@mkdir -p $(@D)
	@$(CCACHE) $(CC) $(CFLAGS) -MMD -MP -c $< -o $@
-include $(patsubst src/%.c,$(B)/obj/%.d,$(SRC_ALL))

define folder_rules
$(B)/lib$(1).a: $(call objs,$(filter src/$(1)/%,$(LIB_SRC)))
	@echo "  $(V): src/$(1)"
	@rm -f $$@ && ar rcs $$@ $$^
$(B)/test/$(1): $(call objs,$(filter src/$(1)/%,$(TEST_SRC))) $(B)/obj/base/test.o \
		$(if $(filter api,$(call links,$(1))),$(B)/obj/assets-off.o) $(call lib_of,$(call links,$(1)))
	@mkdir -p $$(@D)
	@$(CC) $(LDFLAGS) $$(filter %.o,$$^) $$(filter %.a,$$^) $$(LIBS) -o $$@
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(f))))

# One program from one source file (a fuzz target, a benchmark) and the libraries of its folder.
define program_rules
$(B)/fuzz/$(patsubst %_fuzz.c,%,$(notdir $(1))): $(call objs,$(1)) $(call lib_of,$(call links,$(call folder_of,$(1))))
	@mkdir -p $$(@D)
	@$(CC) $(LDFLAGS) -fsanitize=fuzzer $$^ $$(LIBS) -o $$@
$(B)/replay/$(patsubst %_fuzz.c,%,$(notdir $(1))): $(call objs,$(1) src/base/replay.c) \
		$(call lib_of,$(call links,$(call folder_of,$(1))))
	@mkdir -p $$(@D)
	@$(CC) $(LDFLAGS) $$^ $$(LIBS) -o $$@
$(B)/bench/$(patsubst %.c,%,$(notdir $(1))): $(call objs,$(1)) $(call lib_of,$(call links,$(call folder_of,$(1))))
	@mkdir -p $$(@D)
	@$(CC) $(LDFLAGS) $$^ $$(LIBS) -o $$@
endef
$(foreach s,$(FUZZ_SRC) $(BENCH_SRC),$(eval $(call program_rules,$(s))))

# --- the web app, inside the binary -------------------------------------------------------------
ui/dist/.stamp: $(wildcard ui/*.mjs ui/*.html ui/*.svg ui/src/*/*) ui/node_modules/.stamp
	@echo "  the web app"
	@node ui/build.mjs && touch $@
build/assets-on.c: ui/dist/.stamp
build/assets-off.c: ui/off/index.html
build/assets-on.c build/assets-off.c: tools/assets
	@tools/assets $(if $(findstring on.c,$@),ui/dist,ui/off) $@
$(B)/obj/assets-%.o: build/assets-%.c | build/pkg.mk
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -c $< -o $@

# The commit that is built, when the tree is its own git checkout; else empty. Written only when it changes.
REVISION := $(shell test "$$(git rev-parse --show-toplevel 2>/dev/null)" = "$(realpath .)" && \
	git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null)
build/revision: ALWAYS
	@mkdir -p $(@D)
	@echo '$(REVISION)' | cmp -s - $@ || echo '$(REVISION)' >$@
ALWAYS:
$(B)/obj/app/server.o: build/revision
$(B)/obj/app/server.o: REVISION_FLAG = -DTAKT_REVISION='"$(REVISION)"'

# --- the program --------------------------------------------------------------------------------
build: $(SETUP) $(if $(wildcard src/app/main.c),$(B)/takt $(if $(filter release,$(V)),build/takt))
$(B)/takt: $(call objs,src/app/main.c) $(B)/obj/assets-$(UI).o $(call lib_of,$(call links,app))
	@echo "  $(V): takt"
	@$(CC) $(LDFLAGS) $(filter %.o,$^) $(filter %.a,$^) $(LIBS) -o $@
build/takt: build/release/takt
	@ln -f $< $@

demo: build
	@build/takt demo $(DEMO_FLAGS)

PREFIX ?= /usr/local
install: build
	install -D -m 755 build/takt $(DESTDIR)$(PREFIX)/bin/takt
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|' tools/takt.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/takt.service

# --- tests --------------------------------------------------------------------------------------
# Unit tests: `make unit V=asan`, or of one folder: `make unit V=asan T=wal`.
UNIT := $(foreach f,$(if $(T),$(T),$(TESTED)),$(B)/test/$(f))
REPLAY := $(FUZZED:%=$(B)/replay/%)
unit: $(UNIT)
	@for t in $(UNIT); do echo "== $$t"; $$t || exit 1; done
.PHONY: programs
programs: $(UNIT) $(REPLAY)

# Folders whose code runs in several threads: their tests run once more under ThreadSanitizer.
THREADED := $(filter base os span wal object net ingest exec query block load api facts intake delivery impact,$(TESTED))
NODE_STAMPS := $(patsubst %/package-lock.json,%/node_modules/.stamp,$(wildcard ui/package-lock.json \
	tests/*/package-lock.json))
test: build build/.setup-test $(NODE_STAMPS) build/tools/replay
	@$(MAKE) V=asan programs
	@$(MAKE) V=tsan programs T="$(THREADED)" FUZZED=
	@$(MAKE) V=release programs T=query FUZZED=
	@tools/run_tests test

# What is drawn at random in the tests of src/query, once for each of more seeds.
SEEDS ?= 2-9
export SEEDS
seeds: build/.setup-test
	@$(MAKE) V=release programs T=query FUZZED=
	@tools/run_tests test seeds

check: $(SETUP) build/.setup-test
	@$(MAKE) V=asan programs
	@tools/run_tests check

# Fuzzing: F=name for one target, all in turn without it; SECONDS for each.
SECONDS ?= 60
fuzz: build/.setup-fuzz
	@$(MAKE) V=fuzz $(foreach f,$(or $(F),$(FUZZED)),build/fuzz/fuzz/$(f))
	@for f in $(or $(F),$(FUZZED)); do mkdir -p build/corpus/$$f && echo "== $$f" && build/fuzz/fuzz/$$f \
		-max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=2048 -artifact_prefix=build/corpus/$$f- \
		build/corpus/$$f tests/corpus/$$f || exit 1; done

mutants: build/.setup-build build/.setup-test
	@tests/mutants/run
fresh:
	@tests/fresh/run
build/tools/replay: bench/replay.c | build/pkg.mk
	@mkdir -p $(@D)
	@$(CCACHE) gcc -std=gnu17 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror $< -o $@ -ldeflate -lpthread
bench: build build/tools/replay $(B)/bench/delivery_bench $(B)/bench/failure_bench $(B)/bench/impact_bench
	@bench/run $(BENCH_FLAGS)
shots: build $(NODE_STAMPS)
	@node ui/shots.mjs

fmt: build/.setup-test
	@git ls-files 'src/*.[ch]' 'bench/*.c' | xargs clang-format-14 -i

clean:
	rm -rf build

help:
	@echo "build    build/takt, the release binary (UI=off: without the web app, needs no Node)"
	@echo "demo     build it, and run a server with a live, made-up shop that sends traces"
	@echo "test     every test; ends with a line of counts"
	@echo "check    what to run before a commit: format, rules, unit tests under ASan and UBSan (< 3 min)"
	@echo "unit     unit tests; V=asan|tsan|debug|release, T=folder for one"
	@echo "seeds    random questions and traces with more seeds; SEEDS=2-60"
	@echo "bench    the workload of 1M spans: time, memory, bytes; BENCH_FLAGS=--help"
	@echo "fuzz     libFuzzer; F=target, SECONDS=60 for each"
	@echo "mutants  shows that small defects turn tests red"
	@echo "fresh    demo and test in a new Debian root (needs root and debootstrap)"
	@echo "shots    screenshots of the web app"
	@echo "fmt      clang-format; install (DESTDIR, PREFIX); clean"
