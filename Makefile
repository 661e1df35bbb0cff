# Takt. One Makefile, not recursive; everything it makes is under build/.
#   make demo | test | check | bench | fuzz | mutants | fmt      (make help lists them)
# V=release|debug|asan|tsan|fuzz|cov chooses the variant; UI=off builds without Node.
V ?= release
UI ?= on
B := build/$(V)

CC := $(if $(filter fuzz,$(V)),clang-14,gcc)
CCACHE := $(shell command -v ccache)
PKGS := libnghttp2 libssl libcrypto libzstd liblz4 libdeflate yaml-0.1

# What this machine's pkg-config says, asked once.
build/pkg.mk: Makefile
	@mkdir -p build
	@echo "PKG_CFLAGS := $$(pkg-config --cflags $(PKGS))" > $@.new
	@echo "PKG_LIBS := $$(pkg-config --libs $(PKGS))" >> $@.new
	@mv $@.new $@
-include build/pkg.mk

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wconversion -Wno-sign-conversion \
	-Wpointer-arith -Wwrite-strings -Werror
CFLAGS_all := -std=gnu17 -g -Isrc -D_GNU_SOURCE -fno-common -fstack-protector-strong -fPIE $(WARN) $(PKG_CFLAGS)
CFLAGS_release := -O2 -march=x86-64-v2 -D_FORTIFY_SOURCE=2
CFLAGS_debug := -O0 -DTAKT_DEBUG
CFLAGS_asan := -O1 -DTAKT_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan := -O1 -DTAKT_DEBUG -fsanitize=thread
CFLAGS_fuzz := -O1 -DTAKT_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fsanitize=fuzzer-no-link -Wno-error
CFLAGS_cov := -O0 --coverage
CFLAGS := $(CFLAGS_all) $(CFLAGS_$(V)) $(EXTRA_CFLAGS)
LDFLAGS := -pie -Wl,-z,relro,-z,now $(filter -fsanitize=address% -fsanitize=thread --coverage,$(CFLAGS_$(V)))
LIBS := $(PKG_LIBS) -lpthread -lm

# --- folders: sources, library, tests ---------------------------------------------------------
FOLDERS := $(shell sed -n 's/^\([a-z0-9]*\):.*/\1/p' src/deps.txt)
FOLDERS := $(foreach f,$(FOLDERS),$(if $(wildcard src/$(f)/*.c),$(f)))
$(foreach line,$(shell sed -n 's/^\([a-z0-9]*\): *\(.*\)/\1=\2/p' src/deps.txt | tr ' ' '+'),\
	$(eval DEPS_$(firstword $(subst =, ,$(line))) := $(subst +, ,$(word 2,$(subst =, ,$(line))))))
DEPS_app := $(filter-out app,$(FOLDERS))
# What a folder links: itself, all below it, and base. Libraries above their users, for the linker.
closure = $(1) $(foreach d,$(filter $(FOLDERS),$(DEPS_$(1))),$(call closure,$(d)))
links = $(filter $(call closure,$(1)) base,$(LINK_ORDER))
LINK_ORDER := app api slo delivery vcs query ingest otlp net facts block parquet wal object exec traceql span stats http os base
lib_of = $(foreach f,$(1),$(B)/lib$(f).a)
objs = $(patsubst src/%.c,$(B)/obj/%.o,$(1))

SRC_ALL := $(foreach f,$(FOLDERS),$(wildcard src/$(f)/*.c))
TEST_SRC := $(filter %_test.c,$(SRC_ALL))
FUZZ_SRC := $(filter %_fuzz.c,$(SRC_ALL))
BENCH_SRC := $(filter %_bench.c,$(SRC_ALL))
LIB_SRC := $(filter-out $(TEST_SRC) $(FUZZ_SRC) $(BENCH_SRC) src/base/test.c src/app/main.c,$(SRC_ALL))
TESTED := $(sort $(foreach t,$(TEST_SRC),$(word 2,$(subst /, ,$(t)))))

.PHONY: build demo test check bench fuzz mutants fmt help clean unit
.DEFAULT_GOAL := build
build: $(if $(wildcard src/app/main.c),$(B)/takt)

$(B)/obj/%.o: src/%.c | build/pkg.mk
	@mkdir -p $(@D)
	@$(CCACHE) $(CC) $(CFLAGS) -MMD -MP -c $< -o $@
-include $(patsubst src/%.c,$(B)/obj/%.d,$(SRC_ALL))

define folder_rules
$(B)/lib$(1).a: $(call objs,$(filter src/$(1)/%,$(LIB_SRC)))
	@rm -f $$@ && ar rcs $$@ $$^
$(B)/test/$(1): $(call objs,$(filter src/$(1)/%,$(TEST_SRC))) $(B)/obj/base/test.o $(call lib_of,$(call links,$(1)))
	@mkdir -p $$(@D)
	@$(CC) $(LDFLAGS) $$(filter %.o,$$^) $$(filter %.a,$$^) $(LIBS) -o $$@
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(f))))

# Unit tests: `make unit V=asan`, or of one folder: `make unit V=asan T=wal`.
UNIT := $(foreach f,$(if $(T),$(T),$(TESTED)),$(B)/test/$(f))
unit: $(UNIT)
	@for t in $(UNIT); do echo "== $$t"; $$t || exit 1; done

clean:
	rm -rf build
