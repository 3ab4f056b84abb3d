# SPDX-License-Identifier: ISC
# One makefile, not recursive. Objects mirror the sources under build/VARIANT.
#   make V=1                    show the commands
#   make SAN=address,undefined  build with sanitizers (its own variant)
#   make CC=clang               build with clang (its own variant)
#   make IPSEC_MB=n             build without libipsec-mb (its own variant)
#   make NATPMP=n UPNP=n        build without these libraries (its own variant)
#   make help                   list the targets

PREFIX  ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
BINDIR  ?= $(PREFIX)/bin
MANDIR  ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
COMPDIR ?= $(PREFIX)/share/bash-completion/completions
DESTDIR ?=

PKG_CONFIG ?= pkg-config
CFLAGS     ?= -O2 -g
VERSION    := 0.1.0

ifeq ($(origin CC),default)
CC := gcc
endif
empty :=
space := $(empty) $(empty)
comma := ,
VARIANT := $(notdir $(firstword $(CC)))$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(filter n,$(IPSEC_MB)),-no-ipsec-mb)$(if $(filter n,$(NATPMP)),-no-natpmp)$(if $(filter n,$(UPNP)),-no-upnp)
B := build/$(VARIANT)

LIBS     := libsodium libssl libcrypto libmnl liburcu-qsbr jansson
have_pkg  = $(shell $(PKG_CONFIG) --exists $(1) 2>/dev/null && echo y)
WARN     := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes \
            -Wmissing-prototypes -Wwrite-strings -Wundef -Wvla -Wformat=2
# What the code needs to be right, whatever CFLAGS says.
REQUIRED := -std=gnu11 -D_GNU_SOURCE -DHP_VERSION='"$(VERSION)"' \
            -Ilib -fno-strict-aliasing -fstack-protector-strong -pthread \
            $(WARN) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all \
            -fno-omit-frame-pointer) \
            $(shell $(PKG_CONFIG) --cflags $(LIBS) 2>/dev/null)
LDLIBS   := $(shell $(PKG_CONFIG) --libs $(LIBS) 2>/dev/null)
LDREQ    := -pthread $(if $(SAN),-fsanitize=$(SAN)) -Wl,-z,relro,-z,now

# libipsec-mb exists on x86-64 only; without it the other engines serve.
IPSEC_MB ?= $(if $(wildcard /usr/include/intel-ipsec-mb.h),y)
ifneq ($(filter y,$(IPSEC_MB)),)
REQUIRED += -DHP_HAVE_IPSEC_MB
LDLIBS   += -lIPSec_MB
endif

# Two of the three protocols by which gateways are asked to open a port.
NATPMP ?= $(if $(wildcard /usr/include/natpmp.h),y)
ifneq ($(filter y,$(NATPMP)),)
REQUIRED += -DHP_HAVE_NATPMP
LDLIBS   += -lnatpmp
endif
UPNP ?= $(call have_pkg,miniupnpc)
ifneq ($(filter y,$(UPNP)),)
REQUIRED += -DHP_HAVE_UPNP
LDLIBS   += $(shell $(PKG_CONFIG) --libs miniupnpc)
endif

MAKEFLAGS += --no-print-directory
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2);)

lib_src  := $(wildcard lib/*/*.c)
prog_src  = $(wildcard $(1)/*.c)
lib_obj  := $(lib_src:%.c=$(B)/%.o)
libhp    := $(B)/libhptun.a

programs := hptund hptun-rendezvous hptun hptunctl
hptund_src           := $(wildcard tund/main.c)
hptund_lib           := $(B)/tund.a
hptun-rendezvous_src := $(wildcard rendezvous/*.c)
hptun_src            := $(wildcard tools/hptun/*.c tools/*.c)
hptunctl_src         := $(wildcard tools/hptunctl/*.c tools/*.c)
built    := $(foreach p,$(programs),$(if $(filter %/main.c,$($(p)_src)),$(B)/$(p)))

unit_src    := $(wildcard tests/unit/test_*.c)
# The virtual internet, which unit tests and fuzzers use, too.
sim_src     := $(addprefix tests/sim/,net.c nat.c tcp.c world.c)
unit_common := $(filter-out $(unit_src),$(wildcard tests/unit/*.c)) $(sim_src) \
               tests/natbox/packet.c
unit_bin    := $(unit_src:%.c=$(B)/%)
fuzz_src    := $(wildcard tests/fuzz/fuzz_*.c)
headers     := $(wildcard lib/*/*.h tund/*.h rendezvous/*.h tools/*.h tools/*/*.h)

.PHONY: all
all: $(built)	## build the programs into build/gcc (the default)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(REQUIRED) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(libhp): $(lib_obj)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

# The daemon's parts but main.c: for its unit tests too.
tund_obj := $(patsubst %.c,$(B)/%.o,$(filter-out %/main.c,$(wildcard tund/*.c)))
$(B)/tund.a: $(tund_obj)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

# What the tools share, for their unit tests.
tools_obj := $(patsubst %.c,$(B)/%.o,$(wildcard tools/*.c))

define program
$(B)/$(1): $$($(1)_src:%.c=$(B)/%.o) $$($(1)_lib) $(libhp)
	$$(call say,LD,$$@)$$(CC) $$(LDREQ) $$(LDFLAGS) -o $$@ $$^ $$(LDLIBS)
endef
$(foreach p,$(programs),$(eval $(call program,$(p))))

.SECONDARY:
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(unit_common:%.c=$(B)/%.o) $(libhp)
	$(call say,LD,$@)$(CC) $(LDREQ) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(B)/tests/unit/test_tund_%: $(B)/tests/unit/test_tund_%.o \
		$(unit_common:%.c=$(B)/%.o) $(B)/tund.a $(libhp)
	$(call say,LD,$@)$(CC) $(LDREQ) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(B)/tests/unit/test_tools_%: $(B)/tests/unit/test_tools_%.o \
		$(unit_common:%.c=$(B)/%.o) $(tools_obj) $(libhp)
	$(call say,LD,$@)$(CC) $(LDREQ) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(B)/tests/unit/test_rendezvous_%: $(B)/tests/unit/test_rendezvous_%.o \
		$(B)/rendezvous/forward.o $(libhp)
	$(call say,LD,$@)$(CC) $(LDREQ) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

-include $(shell find build -name '*.d' 2>/dev/null)

# ---- checks --------------------------------------------------------------
.PHONY: unit check-unit check-headers check-purity check-warnings check \
        check-lab check-fuzz check-threads
unit: $(unit_bin)

check-unit: unit check-headers check-purity	## unit tests; needs no root
	$(Q)tests/run-unit $(B)

# Every header stands on its own: included by an empty file, so that inline
# functions nobody calls there are no warnings.
check-headers: $(headers:%.h=$(B)/%.h.ok)
$(B)/%.h.ok: %.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(REQUIRED) -fsyntax-only -include $< -x c /dev/null && touch $@

# lib outside lib/sys calls no socket, clock, file or thread.
check-purity: $(lib_obj)
	$(Q)tests/check-purity $(filter-out $(B)/lib/sys/%,$(lib_obj))

# Each source by itself: no object is made. Warnings are errors.
check-warnings:
	$(Q)printf '%s\n' $(wildcard lib/*/*.c tund/*.c rendezvous/*.c tools/*.c \
		tools/*/*.c tests/unit/*.c tests/sim/*.c tests/fuzz/*.c \
		tests/natbox/*.c tests/bench/*.c) | xargs -P 2 -n 8 \
		$(CC) $(REQUIRED) $(CPPFLAGS) -Werror -fsyntax-only

# A fresh machine has no pkg-config when this makefile is read, so whatever
# follows deps is a make of its own.
check:		## everything: unit, sanitizers, lab, fuzz; as root
	$(Q)contrib/deps build demo check
	$(Q)$(MAKE) all $(sim_bin) $(natbox_bin)
	$(Q)MAKE=$(MAKE) VARIANT=$(VARIANT) tests/check

CASES ?=
check-lab: all $(natbox_bin)	## lab of network namespaces; as root; CASES="pair stun" picks
	$(Q)VARIANT=$(VARIANT) tests/lab/run $(CASES)

tsan := build/clang-thread
check-threads:	## what several threads share, under ThreadSanitizer (clang)
	$(Q)$(MAKE) CC=clang SAN=thread $(tsan)/tests/unit/test_tund_data \
		$(tsan)/tests/unit/test_tund_queue \
		$(tsan)/tests/unit/test_wg_threads \
		$(tsan)/tests/unit/test_meet_relay \
		$(tsan)/tests/unit/test_rendezvous_forward
	$(Q)tests/run-unit $(tsan)

FUZZ_SECONDS ?= 5
check-fuzz:	## a short fuzz run of every parser (clang; FUZZ_SECONDS each)
	$(Q)$(MAKE) CC=clang \
		SAN=fuzzer-no-link,address,undefined fuzz
	$(Q)tests/run-fuzz build/clang-fuzzer-no-link-address-undefined \
		$(FUZZ_SECONDS)

.PHONY: fuzz
fuzz: $(fuzz_src:%.c=$(B)/%)
$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(sim_src:%.c=$(B)/%.o) \
		$(B)/tund.a $(libhp)
	$(call say,LD,$@)$(CC) $(subst fuzzer-no-link,fuzzer,$(LDREQ)) \
		$(LDFLAGS) -o $@ $^ $(LDLIBS)

# ---- simulated -----------------------------------------------------------
sim_bin := $(B)/tests/sim/sim
$(sim_bin): $(patsubst %.c,$(B)/%.o,$(wildcard tests/sim/*.c)) $(libhp)
	$(call say,LD,$@)$(CC) $(LDREQ) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lm

.PHONY: sim sim-numbers sim-long
sim: $(sim_bin)	## all pairs of NAT classes: tables, and pictures in build/
	$(Q)$(sim_bin) --matrix --svg build

sim-numbers: $(sim_bin)	## what was promised of connecting: a table of claims
	$(Q)$(sim_bin) --numbers

sim-long: $(sim_bin)	## 1,000,000 random runs on the virtual internet
	$(Q)tests/sim/long $(sim_bin)

# In the lab: the simulator's NAT for real packets, and a long way.
natbox_bin := $(B)/tests/natbox/natbox $(B)/tests/natbox/slow
$(B)/tests/natbox/natbox: $(patsubst %,$(B)/tests/%.o,natbox/main \
		natbox/packet natbox/tun sim/nat) $(libhp)
$(B)/tests/natbox/slow: $(patsubst %,$(B)/tests/natbox/%.o,slow tun) $(libhp)
$(natbox_bin):
	$(call say,LD,$@)$(CC) $(LDREQ) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# ---- shown and measured --------------------------------------------------
.PHONY: deps demo bench bench-relay bench-connect bench-gaps
deps:		## install the Debian packages that are missing; as root
	$(Q)contrib/deps build demo check

demo:		## two NATs, a hole, a ping; as root; KEEP=1 leaves it up
	$(Q)contrib/deps build demo
	$(Q)$(MAKE) all
	$(Q)VARIANT=$(VARIANT) tests/demo

# The cipher that does nothing lies in front of the engines at link time, in
# this one program of the bench.
bench_bin := $(B)/tests/bench/pace $(B)/tests/bench/hptund-null
$(B)/tests/bench/pace: $(B)/tests/bench/pace.o
	$(call say,LD,$@)$(CC) $(LDREQ) $(LDFLAGS) -o $@ $^
$(B)/tests/bench/hptund-null: $(B)/tund/main.o $(B)/tund.a \
		$(B)/tests/bench/null.o $(libhp)
	$(call say,LD,$@)$(CC) $(LDREQ) $(LDFLAGS) -o $@ $^ $(LDLIBS) \
		-Wl,--wrap=hp_aead_seal,--wrap=hp_aead_open

$(B)/tests/bench/ends: $(B)/tests/bench/ends.o $(libhp)
	$(call say,LD,$@)$(CC) $(LDREQ) $(LDFLAGS) -o $@ $^ $(LDLIBS)

bench:		## hptun beside others; ROUNDS= SECS= BENCH_WG=; as root
	$(Q)contrib/deps build demo bench
	$(Q)$(MAKE) all $(bench_bin)
	$(Q)VARIANT=$(VARIANT) tests/bench/run

bench-relay: all $(B)/tests/bench/ends	## relaying beside plain forwarding
	$(Q)VARIANT=$(VARIANT) tests/bench/relay

bench-connect: all	## time from `up` to the first answered ping; as root
	$(Q)VARIANT=$(VARIANT) tests/bench/connect

bench-gaps: all $(natbox_bin)	## silence when NATs, addresses, paths change
	$(Q)VARIANT=$(VARIANT) tests/bench/gaps

.PHONY: bench-cores
bench-cores: all $(B)/tests/bench/threads	## one data thread and two; as root
	$(Q)VARIANT=$(VARIANT) tests/bench/cores
$(B)/tests/bench/threads: $(B)/tests/bench/threads.o $(libhp)
	$(call say,LD,$@)$(CC) $(LDREQ) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: bench-stream
bench-stream: all $(natbox_bin)	## a relay over TCP and TLS beside UDP, at 1 % loss
	$(Q)VARIANT=$(VARIANT) tests/bench/stream $(ROUNDS)

.PHONY: bench-aead
bench-aead: $(B)/tests/bench/aead	## the crypto libraries, side by side
	$(Q)$< $(if $(ROUNDS),--rounds $(ROUNDS))
$(B)/tests/bench/aead: $(B)/tests/bench/aead.o $(libhp)
	$(call say,LD,$@)$(CC) $(LDREQ) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# ---- installed -----------------------------------------------------------
man_src  := $(wildcard */*.[1-8] tools/*/*.[1-8])
service_src := $(wildcard contrib/systemd/*.service)
sbin_bin := $(filter $(B)/hptund $(B)/hptun-rendezvous,$(built))
bin_bin  := $(filter $(B)/hptun $(B)/hptunctl,$(built))

.PHONY: install uninstall
install: all	## install under PREFIX (/usr/local), staged in DESTDIR
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(BINDIR)
	install -m 755 $(sbin_bin) $(DESTDIR)$(SBINDIR)
	install -m 755 $(bin_bin) $(DESTDIR)$(BINDIR)
	set -e; for m in $(man_src); do install -D -m 644 $$m \
		$(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/}; done
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(COMPDIR)
	set -e; for u in $(service_src); do sed 's|@SBINDIR@|$(SBINDIR)|' \
		$$u >$(DESTDIR)$(UNITDIR)/$${u##*/}; done
	install -m 644 contrib/completions/bash/hptun $(DESTDIR)$(COMPDIR)
	set -e; for p in $(filter-out hptun,$(programs)); do \
		ln -sf hptun $(DESTDIR)$(COMPDIR)/$$p; done

uninstall:	## remove what install put there
	rm -f $(programs:%=$(DESTDIR)$(SBINDIR)/%) \
	      $(programs:%=$(DESTDIR)$(BINDIR)/%) \
	      $(foreach m,$(man_src),$(DESTDIR)$(MANDIR)/man$(subst \
	        .,,$(suffix $(m)))/$(notdir $(m))) \
	      $(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(service_src))) \
	      $(programs:%=$(DESTDIR)$(COMPDIR)/%)

# ---- kept tidy -----------------------------------------------------------
.PHONY: format clean help
format:		## clang-format all sources
	clang-format -i $(wildcard */*.[ch] */*/*.[ch])

clean:		## remove build/
	rm -rf build

help:		## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | \
		while IFS='|' read -r t d; do printf '%-22s %s\n' "$$t" "$$d"; \
		done
	@echo
	@echo '  V=1 shows commands. CC=clang, SAN=address,undefined: other builds.'
	@echo '  PREFIX, DESTDIR: where install goes.'
