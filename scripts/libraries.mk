# SPDX-License-Identifier: MIT
# Where the libraries are; for the root's Makefile and the bench's. ROOT is the project's folder, as seen from the one that includes this.

# Libraries that are not below /usr: CURL_DIR, PAHO_DIR, OPENSSL_DIR, SQLITE_DIR, HIREDIS_DIR, and for the sandbox MICROHTTPD_DIR, MOSQUITTO_DIR name where.
# Each is looked through as Debian (lib/<triplet>), Fedora (lib64) and Homebrew (opt/<name>/lib) lay things out, and found again when it is loaded.
comma     := ,
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
dir_of    = $(or $($(1)_DIR),/usr)
find_lib  = $(firstword $(wildcard $(foreach d,$(if $(MULTIARCH),lib/$(MULTIARCH)) lib64 lib,$(call dir_of,$(1))/$(d)/lib$(2))))
lib_dir   = $(patsubst %/,%,$(dir $(firstword $(wildcard $(foreach d,$(if $(MULTIARCH),lib/$(MULTIARCH)) lib64 lib,$(call dir_of,$(1))/$(d)/lib$(2).*)))))
lib_flags = $(if $(lib_dir),-L$(lib_dir) -Wl$(comma)-rpath$(comma)$(lib_dir))
# Where no folder was named, pkg-config is asked first; of a library in the system's own folders it has nothing to say.
PKG_CONFIG ?= pkg-config
PC_curl := libcurl
PC_ssl := openssl
PC_microhttpd := libmicrohttpd
PC_mosquitto := libmosquitto
asked     = $(if $($(1)_DIR),,$(shell $(PKG_CONFIG) --cflags-only-I --libs-only-L $(or $(PC_$(2)),$(2)) 2>/dev/null))
elsewhere = $(if $(filter-out /usr,$(call dir_of,$(1))),$(addprefix -I,$(wildcard $(call dir_of,$(1))/include/$(MULTIARCH) $(call dir_of,$(1))/include)) $(lib_flags),$(asked))

INCLUDES   := $(strip $(call elsewhere,CURL,curl) $(call elsewhere,OPENSSL,ssl))
# libcurl is loaded by the first call (src/late/curl.c); LATE=0 links it, and so do archives and tests.
LATE       ?= 1
CORE_LIBS  := -lssl -lcrypto -lcurl
MODULE_DEFS := $(if $(filter 0,$(LATE)),-DFOG_CURL_LINKED)
MODULE_LIBS := $(if $(filter 0,$(LATE)),$(CORE_LIBS),$(filter-out -lcurl,$(CORE_LIBS)) -ldl)
# Eclipse Paho as packaged, the shared library. PAHO=0 does without.
PAHO       ?= 1
PAHO_H     := $(if $(filter 0,$(PAHO)),,$(firstword $(wildcard $(call dir_of,PAHO)/include/MQTTAsync.h $(call dir_of,PAHO)/include/*/MQTTAsync.h)))
NO_PAHO    := $(if $(filter-out 0,$(PAHO)),$(if $(PAHO_H),,Paho MQTT C is not here: built without driver = "paho"; PAHO=0 says so))
PAHO_FLAGS := $(patsubst -I%,-isystem %,$(call elsewhere,PAHO,paho-mqtt3as))
PAHO_LIBS  := -lpaho-mqtt3as -lssl -lcrypto
DURABLE_INCLUDES := $(strip $(call elsewhere,SQLITE,sqlite3))
SANDBOX_INCLUDES := $(strip $(call elsewhere,MICROHTTPD,microhttpd) $(call elsewhere,SQLITE,sqlite3) $(call elsewhere,OPENSSL,ssl) $(call elsewhere,MOSQUITTO,mosquitto))

# The store in Redis is there where hiredis is; TLS with hiredis 1.0 and later, built with it.
HIREDIS_H   := $(firstword $(wildcard $(call dir_of,HIREDIS)/include/hiredis/hiredis.h /usr/include/$(MULTIARCH)/hiredis/hiredis.h))
HIREDIS_TLS := $(and $(wildcard $(dir $(HIREDIS_H))hiredis_ssl.h),$(call lib_dir,HIREDIS,hiredis_ssl))
REDIS_FLAGS := $(strip $(patsubst -I%,-isystem %,$(call elsewhere,HIREDIS,hiredis)) $(call elsewhere,OPENSSL,ssl) $(if $(HIREDIS_TLS),-DFOG_REDIS_TLS))
REDIS_LIBS  := -lhiredis $(if $(HIREDIS_TLS),-lhiredis_ssl -lssl -lcrypto)

# What pkg-config says, else Debian's, Fedora's and Homebrew's folders; LUA_INCDIR names another.
lua_asked   = $(patsubst -I%,%,$(firstword $(shell for name in $(1) $(1:lua%=lua-%); do $(PKG_CONFIG) --cflags-only-I $$name 2>/dev/null && break; done)))
lua_include = $(or $(LUA_INCDIR),$(lua_asked),$(patsubst %/lua.h,%,$(firstword $(wildcard $(addsuffix /lua.h,$(if $(filter luajit,$(1)),/usr/include/luajit-2.1,/usr/include/$(1) /usr/include/$(1:lua%=lua-%) /usr/include))))))
