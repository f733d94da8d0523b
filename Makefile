# SPDX-License-Identifier: MIT
#
#   make demo    installs what is missing, builds, starts the sandbox and runs examples/quickstart.lua against it
#   make test    installs what is missing, builds for every Lua, checks and runs all specs
#   make embed   one archive, one header and one Lua file for a program that embeds Lua
#
# Everything is built below build/, a folder per Lua.

LUA     ?= lua5.4
SANITIZE ?=
ALL_LUAS := lua5.1 luajit lua5.2 lua5.3 lua5.4
CC      ?= gcc
comma   := ,
# Each sanitizer has a tree of its own.
BUILD   ?= build$(if $(SANITIZE),/$(subst $(comma),-,$(SANITIZE)))
PREFIX  ?= /usr/local

# Flags ---------------------------------------------------------------------------------------------------------------

WARN    := -Wall -Wextra -Wshadow -Wconversion -Wno-psabi # which only notes, of 32 bits, what an older gcc did
HARDEN  := -D_FORTIFY_SOURCE=2 -fstack-protector-strong
SANFLAG := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer -U_FORTIFY_SOURCE)
CFLAGS  ?= -O2 -g
# LOOP=poll: the loop of systems without epoll; into a BUILD of its own.
LOOP    ?=
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE $(if $(filter poll,$(LOOP)),-DFOG_LOOP_POLL) -fPIC -fvisibility=hidden -pthread $(WARN) $(CFLAGS) $(HARDEN) $(SANFLAG)
LDFLAGS_MODULE := -shared -pthread -Wl,-z,relro,-z,now,--exclude-libs,ALL $(SANFLAG)

ROOT    := .
include scripts/libraries.mk

# Sources -------------------------------------------------------------------------------------------------------------

CORE_SRC    := $(foreach folder,base http mqtt,$(wildcard src/$(folder)/*.c)) src/binding/engine.c
# In the module alone: what loads libraries when they are needed.
LATE_SRC    := $(if $(filter 0,$(LATE)),,$(wildcard src/late/*.c))
BINDING_SRC := $(filter-out $(CORE_SRC),$(wildcard src/binding/*.c))
# What outlives the process: a module of its own, so that only a program with a journal loads SQLite.
DURABLE_SRC := $(wildcard src/durable/*.c) src/binding/class.c
# The second MQTT driver, a module of its own: where Paho is, unless PAHO=0. With what of the session both drivers stand on.
PAHO_SRC    := $(if $(PAHO_H),$(wildcard src/paho/*.c) $(addprefix src/mqtt/,ask.c thread_loop.c loop.c timers.c session.c inbox.c outbox.c link_options.c connection_options.c properties.c text.c) \
  $(addprefix src/base/,event.c queue.c wake.c process.c) src/binding/class.c)
PLUGIN_SRC  := $(wildcard src/sandbox/plugin*.c)
# Of the sandbox's module, what the plugin uses too.
SHARED_SRC  := src/sandbox/password.c src/sandbox/tap.c
SANDBOX_SRC := $(filter-out $(PLUGIN_SRC),$(wildcard src/sandbox/*.c)) src/binding/class.c
# With what it shares with the core: the wake-up descriptor, classes, and the checkers of options.
REDIS_SRC   := $(if $(HIREDIS_H),$(wildcard src/redis/*.c) src/base/wake.c src/base/error.c src/binding/class.c src/binding/util.c)
HEADERS     := $(wildcard src/*/*.h)
# What of the sandbox and its plugin knows no Lua and no mosquitto.
SANDBOX_PLAIN_SRC := $(filter-out src/binding/% src/sandbox/binding%,$(SANDBOX_SRC)) $(wildcard src/sandbox/plugin_*.c)

CORE_OBJ := $(CORE_SRC:src/%.c=$(BUILD)/obj/%.o)
DURABLE_OBJ := $(patsubst src/%.c,$(BUILD)/obj/%.o,$(filter-out src/binding/% src/durable/binding.c,$(DURABLE_SRC)))
REDIS_OBJ := $(patsubst src/%.c,$(BUILD)/obj/%.o,$(filter src/redis/%,$(filter-out src/redis/binding.c,$(REDIS_SRC))))
SANDBOX_PLAIN_OBJ := $(SANDBOX_PLAIN_SRC:src/%.c=$(BUILD)/obj/%.o)
BINDING_OBJ := $(BINDING_SRC:src/%.c=$(BUILD)/obj/lua5.4/%.o)

.PHONY: all FORCE embed c-test archives build build-all deps deps-demo demo test test-chosen lint valgrind bench bench-compare fuzz hostile soak coverage docs install dist clean
all: build

# Building ------------------------------------------------------------------------------------------------------------

$(BUILD)/obj/%.o: src/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(CORE_DEFS) $(INCLUDES) -c $< -o $@

define per_lua
$(BUILD)/$(1)/fogcloud/core.so: $(CORE_OBJ) $(LATE_SRC) $(BINDING_SRC) $(HEADERS)
	@mkdir -p $$(@D)
	$(CC) $(ALL_CFLAGS) $(MODULE_DEFS) $(INCLUDES) -I$(call lua_include,$(1)) $(BINDING_SRC) $(LATE_SRC) $(CORE_OBJ) -o $$@ $(LDFLAGS_MODULE) -Wl,-z,nodelete $(MODULE_LIBS)

$(BUILD)/$(1)/fogcloud/durable.so: $(DURABLE_SRC) $(HEADERS)
	@mkdir -p $$(@D)
	$(CC) $(ALL_CFLAGS) $(DURABLE_INCLUDES) -I$(call lua_include,$(1)) $(DURABLE_SRC) -o $$@ $(LDFLAGS_MODULE) -Wl,-z,nodelete -lsqlite3

$(BUILD)/$(1)/fogcloud/paho.so: $(PAHO_SRC) $(HEADERS)
	@mkdir -p $$(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES) $(PAHO_FLAGS) -I$(call lua_include,$(1)) $(PAHO_SRC) -o $$@ $(LDFLAGS_MODULE) -Wl,-z,nodelete $(PAHO_LIBS)

$(BUILD)/$(1)/fogcloud/sandbox/core.so: $(SANDBOX_SRC) $(HEADERS)
	@mkdir -p $$(@D)
	$(CC) $(ALL_CFLAGS) $(SANDBOX_INCLUDES) -I$(call lua_include,$(1)) $(SANDBOX_SRC) -o $$@ $(LDFLAGS_MODULE) -Wl,-z,nodelete -lmicrohttpd -lsqlite3 -lssl -lcrypto

$(BUILD)/$(1)/fogcloud/redis.so: $(REDIS_SRC) $(HEADERS)
	@mkdir -p $$(@D)
	$(CC) $(ALL_CFLAGS) $(REDIS_FLAGS) -I$(call lua_include,$(1)) $(REDIS_SRC) -o $$@ $(LDFLAGS_MODULE) -Wl,-z,nodelete $(REDIS_LIBS)

# Without a sanitizer: it is loaded by mosquitto, which is not built with one.
$(BUILD)/$(1)/fogcloud/sandbox/plugin.so: $(PLUGIN_SRC) $(SHARED_SRC) $(HEADERS)
	@mkdir -p $$(@D)
	$(CC) $(filter-out -fsanitize=%,$(ALL_CFLAGS)) $(SANDBOX_INCLUDES) $(PLUGIN_SRC) $(SHARED_SRC) -o $$@ $(filter-out -fsanitize=%,$(LDFLAGS_MODULE)) -lsqlite3 -lcrypto

# For archives: all that includes lua.h, the modules apart from the core too.
$(BUILD)/obj/$(1)/%.o: src/%.c $(HEADERS)
	@mkdir -p $$(@D)
	$(CC) $(ALL_CFLAGS) -DFOG_CURL_LINKED $(INCLUDES) $(DURABLE_INCLUDES) $(REDIS_FLAGS) -I$(call lua_include,$(1)) -c $$< -o $$@

build-$(1): $(BUILD)/$(1)/fogcloud/core.so $(BUILD)/$(1)/fogcloud/durable.so $(if $(PAHO_SRC),$(BUILD)/$(1)/fogcloud/paho.so) $(if $(REDIS_SRC),$(BUILD)/$(1)/fogcloud/redis.so) $(if $(SANDBOX_SRC),$(BUILD)/$(1)/fogcloud/sandbox/core.so $(BUILD)/$(1)/fogcloud/sandbox/plugin.so)
	@$(if $(NO_PAHO),echo '$(NO_PAHO)',:)
.PHONY: build-$(1)
endef
$(foreach lua,$(ALL_LUAS),$(eval $(call per_lua,$(lua))))

build: build-$(LUA)
build-all: $(ALL_LUAS:%=build-%)

# Inside an engine ----------------------------------------------------------------------------------------------------
# make embed LUA=luajit                 one archive, one header, one Lua file, in build/embed/luajit: docs/guide-embedding.md
#   WITH="durable redis"                with the journal (SQLite) and the store in Redis (hiredis), which are left out else
#   CJSON_DIR=…                         with the lua-cjson whose sources are there, under a name of its own; else the host's
#   CODE=bytecode                       with Lua's bytecode in the place of its text: less memory, and only for this very Lua
#   INSIDE="…/libssl.a …/libcrypto.a"   with these archives, whose names nobody else sees either

WITH      ?=
CJSON_DIR ?=
CODE      ?= text
INSIDE    ?=
EMBED     := $(BUILD)/embed/$(LUA)
# In the archive: the core, and what was asked for.
EMBED_SRC := $(BINDING_SRC) src/embed/embed.c $(if $(filter durable,$(WITH)),$(DURABLE_SRC)) $(if $(filter redis,$(WITH)),$(REDIS_SRC))
EMBED_DIR := $(if $(LUA_INCDIR),$(EMBED)/obj,$(BUILD)/obj/$(LUA))
EMBED_OBJ := $(CORE_OBJ) $(patsubst src/%.c,$(EMBED_DIR)/%.o,$(sort $(filter-out $(CORE_SRC),$(EMBED_SRC)))) $(EMBED)/modules.o $(if $(CJSON_DIR),$(addprefix $(EMBED)/cjson/,lua_cjson.o strbuf.o fpconv.o))
# In Lua: all but the command line, the sandbox, and the loops that bring a Lua of their own; cjson where it is in C.
EMBED_OUT := fogcloud/cli/% fogcloud/sandbox/% fogcloud/_meta.lua $(foreach host,luv cqueues copas openresty,fogcloud/host/$(host)%) $(if $(CJSON_DIR),fogcloud/cjson.lua)
EMBED_LUA := $(addprefix lua/,$(sort $(filter-out $(EMBED_OUT),$(shell cd lua 2>/dev/null && find fogcloud -name '*.lua'))))
EMBED_C   := fogcloud.core=luaopen_fogcloud_core $(foreach part,$(WITH),fogcloud.$(part)=luaopen_fogcloud_$(part)) $(if $(CJSON_DIR),fogcloud.cjson=luaopen_cjson)
# What is linked with it, without what is inside already, and with what that needs by itself (of an OpenSSL: zlib, zstd).
EMBED_NEED := $(foreach archive,$(INSIDE),$(filter -l%,$(shell pkg-config --static --libs $(basename $(notdir $(archive))) 2>/dev/null)))
EMBED_LIBS := $(filter-out $(patsubst lib%.a,-l%,$(notdir $(INSIDE))),$(filter -L% -Wl%,$(INCLUDES)) -lcurl -lssl -lcrypto \
  $(if $(filter durable,$(WITH)),$(filter -L% -Wl%,$(DURABLE_INCLUDES)) -lsqlite3) $(if $(filter redis,$(WITH)),$(filter -L% -Wl%,$(REDIS_FLAGS)) $(REDIS_LIBS)) $(EMBED_NEED)) -lm -pthread
EMBED_KEEP := luaopen_fogcloud_core luaopen_fogcloud fogcloud_preload
LUAC      ?= $(LUA:lua%=luac%)
OBJCOPY   ?= objcopy

embed: $(EMBED)/libfogcloud.a $(EMBED)/fogcloud.luac

# What the rest is made anew for when it changes.
$(EMBED)/asked: FORCE
	@mkdir -p $(@D)
	@echo '$(WITH) $(CODE) $(CJSON_DIR) $(INSIDE) $(LUA_INCDIR) $(EMBED_LIBS)' >$@.new
	@cmp -s $@.new $@ || cp $@.new $@
FORCE:

$(EMBED)/modules.c: scripts/embed.lua $(EMBED_LUA) src/embed/fogcloud_embed.h $(EMBED)/asked
	$(if $(filter-out durable redis,$(WITH)),$(error WITH: durable and redis are what there is))
	$(if $(and $(filter redis,$(WITH)),$(if $(HIREDIS_H),,none)),$(error WITH=redis: hiredis is not here))
	$(if $(filter-out text bytecode,$(CODE)),$(error CODE: text or bytecode))
	CODE=$(CODE) $(LUA) scripts/embed.lua $(EMBED) $(shell sed -n 's/^return "\(.*\)"/\1/p' lua/fogcloud/version.lua) '$(EMBED_LIBS)' $(EMBED_C) $(EMBED_LUA)
	cp src/embed/fogcloud_embed.h $(EMBED)

$(EMBED)/modules.o: $(EMBED)/modules.c src/embed/modules.h
	$(CC) $(ALL_CFLAGS) -Isrc/embed -I$(call lua_include,$(LUA)) -c $< -o $@

# For a Lua of the program's own, whose headers LUA_INCDIR names.
$(EMBED)/obj/%.o: src/%.c $(HEADERS) $(EMBED)/asked
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DFOG_CURL_LINKED $(INCLUDES) $(DURABLE_INCLUDES) $(REDIS_FLAGS) -I$(LUA_INCDIR) -c $< -o $@

# Foreign code, as it is. LuaJIT has a luaL_setfuncs, and it one too.
$(EMBED)/cjson/%.o: $(CJSON_DIR)/%.c $(EMBED)/asked
	@mkdir -p $(@D)
	printf '#include <lauxlib.h>\n#if LUA_VERSION_NUM < 502\n#define luaL_setfuncs fog_cjson_setfuncs\n#endif\n#include "$<"\n' | $(CC) $(filter-out -W%,$(ALL_CFLAGS)) -w -I$(call lua_include,$(LUA)) -x c -c - -o $@

# One object, of whose names only three are left for others; -d: nothing of it is shared with a host's name either.
$(EMBED)/libfogcloud.a: $(EMBED_OBJ) $(EMBED)/asked
	$(LD) -r -d -o $(EMBED)/fogcloud.o $(EMBED_OBJ) $(if $(INSIDE),--start-group $(INSIDE) --end-group)
	$(OBJCOPY) --strip-debug $(EMBED_KEEP:%=--keep-global-symbol=%) $(EMBED)/fogcloud.o
	@rm -f $@
	$(AR) rcs $@ $(EMBED)/fogcloud.o

$(EMBED)/fogcloud.luac: $(EMBED)/modules.c
	$(if $(filter luajit,$(LUA)),$(LUA) -e 'io.open("$@", "wb"):write(string.dump(loadfile("$(EMBED)/fogcloud.lua"), true))',$(LUAC) -s -o $@ $(EMBED)/fogcloud.lua)

# What needs packages first runs make again: the variables above look at what is installed.
deps:
	@scripts/install.sh demo core $(SUITES)

deps-demo:
	@scripts/install.sh demo

# Tests in C, and what is fuzzed --------------------------------------------------------------------------------------
# They take what they need out of archives of all that knows no Lua, of the journal's, of Redis' client, of the sandbox's and of the binding's, for Lua 5.4.

ARCHIVES   := $(addprefix $(BUILD)/,binding.a core.a durable.a sandbox.a) $(if $(REDIS_OBJ),$(BUILD)/redis.a)
TEST_FLAGS := $(filter-out -Wconversion -Wshadow,$(ALL_CFLAGS)) $(INCLUDES) $(REDIS_FLAGS) -I$(call lua_include,lua5.4)
TEST_LIBS  := -Wl,--start-group $(ARCHIVES) -Wl,--end-group -Wl,--as-needed $(CORE_LIBS) -lsqlite3 -lmosquitto -llua5.4 $(if $(REDIS_OBJ),$(REDIS_LIBS))

$(BUILD)/obj/durable/%.o: src/durable/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(DURABLE_INCLUDES) -c $< -o $@

$(BUILD)/obj/redis/%.o: src/redis/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(REDIS_FLAGS) -c $< -o $@

$(BUILD)/obj/sandbox/%.o: src/sandbox/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(SANDBOX_INCLUDES) -c $< -o $@

$(BUILD)/core.a: $(CORE_OBJ)
$(BUILD)/durable.a: $(DURABLE_OBJ)
$(BUILD)/redis.a: $(REDIS_OBJ)
$(BUILD)/sandbox.a: $(SANDBOX_PLAIN_OBJ)
$(BUILD)/binding.a: $(BINDING_OBJ)
$(ARCHIVES):
	@rm -f $@
	$(AR) rcs $@ $^

archives: $(ARCHIVES)

$(BUILD)/tests/%: spec/c/%.c $(ARCHIVES) $(wildcard spec/c/*.h)
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) $< -o $@ $(TEST_LIBS) -Wl,-E

$(BUILD)/fuzz/%: fuzz/%.c $(ARCHIVES) $(wildcard fuzz/*.h)
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) -fsanitize=fuzzer $< -o $@ $(TEST_LIBS)


# These count and refuse the allocations of our code, which is built for them apart.
FAILING_ALLOC := connection_alloc_test core_alloc_test durable_alloc_test link_alloc_test lua_alloc_test redis_alloc_test wiped_test

# Builds the test TEST and runs it: without randomisation, for TSan, and what UBSan finds ends it.
c-test:
	@$(MAKE) --no-print-directory -s $(BUILD)/$(if $(filter $(TEST),$(FAILING_ALLOC)),failing/)tests/$(TEST) \
	  $(if $(filter $(TEST),$(FAILING_ALLOC)),BUILD=$(BUILD)/failing CFLAGS='$(CFLAGS) -include spec/c/failing_alloc.h')
	@TSAN_OPTIONS=halt_on_error=1 setarch -R $(BUILD)/$(if $(filter $(TEST),$(FAILING_ALLOC)),failing/)tests/$(TEST)

# Running -------------------------------------------------------------------------------------------------------------

demo: deps-demo
	@$(MAKE) --no-print-directory -s build LUA=lua5.4
	@scripts/demo.sh

# All suites but those that SUITES, QUICK and SANITIZE leave out; scripts/test.sh says which there are.
test:
	@suites=$$(SANITIZE=$(SANITIZE) QUICK=$(QUICK) SUITES='$(SUITES)' scripts/test.sh --suites) && scripts/install.sh demo core $$suites && \
	  $(MAKE) --no-print-directory -s test-chosen SUITES="$$suites"

test-chosen:
	@$(if $(filter languages brokers console,$(SUITES)),scripts/npm.sh)
	@$(MAKE) --no-print-directory -s -j2 build-all SANITIZE=$(SANITIZE)
	@$(if $(filter embed,$(SUITES)),for lua in $(ALL_LUAS); do $(MAKE) --no-print-directory -s embed LUA=$$lua SANITIZE=$(SANITIZE) || exit 1; done) # before others build the same
	@$(if $(SANITIZE),$(MAKE) --no-print-directory -s build-luajit SANITIZE=) # the spec of fork() runs a plain LuaJIT
	@$(if $(filter checkers,$(SUITES)),$(MAKE) --no-print-directory -s -j2 build-lua5.4 build-lua5.1 SANITIZE=address$(comma)undefined)
	@$(if $(filter checkers,$(SUITES)),$(MAKE) --no-print-directory -s -j2 build-lua5.4 SANITIZE=thread)
	@SANITIZE=$(SANITIZE) SUITES='$(SUITES)' scripts/test.sh

# What is made from the code: the reference, the manual page, and the description of the sandbox's APIs.
docs: build-lua5.4
	@. scripts/env.sh && lua5.4 scripts/reference.lua && lua5.4 scripts/manual.lua >docs/fogcloud.1 && lua5.4 scripts/openapi.lua >docs/openapi.json

lint:
	@scripts/lint.sh

valgrind: SUITES := checkers
valgrind: deps
	@$(MAKE) --no-print-directory -s build LUA=lua5.4
	@scripts/valgrind.sh

bench: deps
	@scripts/install.sh bench
	@$(MAKE) --no-print-directory -s build LUA=lua5.4
	@$(MAKE) --no-print-directory -C bench

# 60 s for each target of fuzz/, two at a time; SECONDS_EACH=600 for longer, TARGETS="topic reply" for some.
fuzz: SUITES := checkers
fuzz: deps
	@$(MAKE) --no-print-directory -s build LUA=lua5.4
	@SECONDS_EACH=$(or $(SECONDS_EACH),60) scripts/fuzz.sh $(TARGETS)

# The client against hostile servers, a minute each under ASan; SECONDS=600 for longer, FOG_FAULT_SEED=n for another run.
hostile: SUITES := checkers
hostile: deps
	@$(MAKE) --no-print-directory -s build LUA=lua5.4 SANITIZE=address,undefined
	@export lua=lua5.4 SANITIZE=address,undefined FOG_FAULT_SECONDS=$(or $(SECONDS),60); . scripts/env.sh; . scripts/sanitize.sh; \
	  $$FOG_LUA /usr/bin/busted spec/fault

# Calls, publishes and receives among faults: the table is printed, the picture is build/soak/soak.svg.
soak: deps
	@$(MAKE) --no-print-directory -s build LUA=lua5.4
	@MINUTES=$(or $(MINUTES),30) scripts/soak.sh

# Lines of src/ and lua/ that the specs execute; LEAST=95 fails below it, VERBOSE=1 names the others.
coverage: SUITES := cli rocks embed hosts
coverage: deps
	@LEAST=$(LEAST) scripts/coverage.sh $(if $(VERBOSE),-v)

# Instructions per message and per call, by Callgrind, against those of bench/instructions.json.
bench-compare: deps
	@scripts/install.sh bench
	@$(MAKE) --no-print-directory -s build LUA=lua5.4
	@$(MAKE) --no-print-directory -C bench compare

# Installing ----------------------------------------------------------------------------------------------------------

# Below DESTDIR and PREFIX, which may be relative, and hold blanks and quotes: the shell gets them by its environment, unread.
install: export LUA := $(LUA)
install: export BUILD := $(BUILD)
install: export PREFIX := $(PREFIX)
install: export DESTDIR := $(DESTDIR)
install: build
	@scripts/install_tree.sh

# Where releases are put: `make dist` makes the tarball and rockspecs that name it there. Put in your own place: make dist SOURCE=https://…
SOURCE ?= https://downloads.example.org/fogcloud

dist:
	@SOURCE='$(SOURCE)' scripts/dist.sh

# What LuaRocks calls, with LUA_INCDIR when it builds, LUADIR, LIBDIR and BINDIR when it installs.
ROCK := $(BUILD)/rock
ROCK_SANDBOX_LUA := $(shell cd lua 2>/dev/null && find fogcloud/sandbox fogcloud/cli/sandbox*.lua -type f 2>/dev/null)
ROCK_CORE_LUA := $(filter-out $(ROCK_SANDBOX_LUA),$(shell cd lua 2>/dev/null && find fogcloud -name '*.lua'))

rock: $(CORE_OBJ)
	@mkdir -p $(ROCK)
	$(CC) $(ALL_CFLAGS) $(MODULE_DEFS) $(INCLUDES) -I$(LUA_INCDIR) $(BINDING_SRC) $(LATE_SRC) $(CORE_OBJ) -o $(ROCK)/core.so $(LDFLAGS_MODULE) -Wl,-z,nodelete $(MODULE_LIBS)
	$(CC) $(ALL_CFLAGS) $(DURABLE_INCLUDES) -I$(LUA_INCDIR) $(DURABLE_SRC) -o $(ROCK)/durable.so $(LDFLAGS_MODULE) -Wl,-z,nodelete -lsqlite3
	$(if $(PAHO_SRC),$(CC) $(ALL_CFLAGS) $(INCLUDES) $(PAHO_FLAGS) -I$(LUA_INCDIR) $(PAHO_SRC) -o $(ROCK)/paho.so $(LDFLAGS_MODULE) -Wl$(comma)-z$(comma)nodelete $(PAHO_LIBS))

rock-install:
	for f in $(ROCK_CORE_LUA); do install -D -m 644 lua/$$f $(LUADIR)/$$f || exit 1; done
	install -D -m 755 $(ROCK)/core.so $(LIBDIR)/fogcloud/core.so
	install -D -m 755 $(ROCK)/durable.so $(LIBDIR)/fogcloud/durable.so
	[ ! -e $(ROCK)/paho.so ] || install -D -m 755 $(ROCK)/paho.so $(LIBDIR)/fogcloud/paho.so
	install -D -m 755 bin/fogcloud $(BINDIR)/fogcloud

rock-sandbox:
	@mkdir -p $(ROCK)/sandbox
	$(CC) $(ALL_CFLAGS) $(SANDBOX_INCLUDES) -I$(LUA_INCDIR) $(SANDBOX_SRC) -o $(ROCK)/sandbox/core.so $(LDFLAGS_MODULE) -Wl,-z,nodelete -lmicrohttpd -lsqlite3 -lssl -lcrypto
	$(CC) $(ALL_CFLAGS) $(SANDBOX_INCLUDES) $(PLUGIN_SRC) $(SHARED_SRC) -o $(ROCK)/sandbox/plugin.so $(LDFLAGS_MODULE) -lsqlite3 -lcrypto

rock-sandbox-install:
	for f in $(ROCK_SANDBOX_LUA); do install -D -m 644 lua/$$f $(LUADIR)/$$f || exit 1; done
	install -D -m 755 $(ROCK)/sandbox/core.so $(LIBDIR)/fogcloud/sandbox/core.so
	install -D -m 755 $(ROCK)/sandbox/plugin.so $(LIBDIR)/fogcloud/sandbox/plugin.so

rock-redis:
	@mkdir -p $(ROCK)
	$(CC) $(ALL_CFLAGS) $(REDIS_FLAGS) -I$(LUA_INCDIR) $(REDIS_SRC) -o $(ROCK)/redis.so $(LDFLAGS_MODULE) -Wl,-z,nodelete $(REDIS_LIBS)

rock-redis-install:
	install -D -m 755 $(ROCK)/redis.so $(LIBDIR)/fogcloud/redis.so

.PHONY: rock rock-install rock-sandbox rock-sandbox-install rock-redis rock-redis-install
clean:
	rm -rf $(BUILD)
