# SPDX-License-Identifier: GPL-2.0-or-later
#
#   make                  build/istio-init, build/istio-inject: static, musl
#   make LIBC=glibc       build/glibc/istio-init: static, glibc, with symbols
#   make DYN=1            build/dyn/istio-init: dynamic, glibc, with symbols, for valgrind
#   make SAN=1            build/san/istio-init: dynamic, glibc, address and undefined-behaviour sanitizers
#   make check-unit       the unit tests, with the sanitizers
#   make check            all tests (installs what they need); K=NAME: those with NAME in their name
#   make check-faults     every fault and kill at every system call, not every fifth; many more random states and rules
#   make check-builds     unit tests and dry runs on arm64 and big-endian s390x, under qemu; two builds, same bytes
#   make fuzz             each parser and decoder against libFuzzer's inputs (tests/fuzz/run)
#   make check-pod        builds the image, runs it with podman beside a real proxy
#   make check-cri        the CNI plugin called by real container runtimes and by libcni (tests/cri/run); needs Go
#   make check-kubernetes the webhook and the policy against a real API server (tests/kubernetes/run); needs Go
#   make check-envoy      traffic through a real Envoy (tests/envoy/run), which is fetched from PyPI
#   make check-cluster    one node of today: the webhook, istio-init or the plugin, Envoy (tests/cluster/run); needs Go
#   make check-fresh      README's commands on a pristine Debian 12 and a pristine Debian 13
#   make ARCH=arm64       build/arm64/istio-init: a cross build for any architecture that Debian has a cross gcc for
#   make demo-inject      a labelled pod in, the diff out, then its rules in a throw-away network namespace
#   make demo-cluster     the whole story on one node of today, step by step (tests/cluster/demo); needs Go
#   make bench-envoy      requests a second through Envoy with each backend's rules (tests/envoy/bench)
#   make bench-pod        what the plugin, and init containers, add to a pod's start (tests/cri/bench); needs Go
#   make bench-cluster    a pod's start by a real kubelet: without a mesh, with the plugin, with init containers; needs Go
#   make sbom             what each program is linked with, and the licences: build/doc, in images and packages
#   make deb              Debian packages: build/istio-init_VERSION_ARCHITECTURE.deb, and istio-inject's
#   make oci              build/oci/istio-init and istio-inject: each an image for amd64 and arm64 under one index
#   make lint | demo | bench | install | dist | clean
#
# CC is a gcc or a clang; clang works with each of the first four, and then adds -clang to the name of the folder.
# CC, AR, OBJCOPY, CPPFLAGS, CFLAGS, LDFLAGS, PREFIX and DESTDIR may come from the environment, too; CFLAGS stands
# for optimization and debugging alone: what the program needs is added to it.  With ARCH, GCC names the compiler.
# WERROR=1 (or CI) turns warnings into errors.  V=1 shows the commands.

VERSION  = 0.1.0
PREFIX  ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR  ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share/istio-init
# Where each shell looks for the completion of a command
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d

LIBC = musl
ifneq ($(SAN),)
flavour = san
else ifneq ($(FUZZ),)
flavour = fuzz
else ifneq ($(DYN),)
flavour = dyn
else ifneq ($(filter musl glibc,$(LIBC)),)
flavour = $(LIBC)
else
$(error LIBC is musl or glibc)
endif
libc = $(if $(filter musl,$(flavour)),musl,glibc)

# MUSL_GCC is GCC with musl's specs, and links what clang has compiled, too.
ARCH      =
ifneq ($(ARCH),)
triplet   = $(patsubst amd64-%,x86_64-%,$(patsubst arm64-%,aarch64-%,$(patsubst ppc64el-%,powerpc64le-%,$(ARCH)-linux-gnu)))
root      = build/root/$(ARCH)
GCC       = $(triplet)-gcc
AR        = $(triplet)-ar
OBJCOPY   = $(triplet)-objcopy
specs     = $(root)/musl-gcc.specs
check     = -isystem $(root)/usr/include
checklibs = -L$(root)/usr/lib/$(triplet) -lcheck -lsubunit -pthread -lrt -lm
else
GCC       = $(if $(filter default,$(origin CC))$(clang)$(filter %musl-gcc,$(CC)),gcc,$(CC))
OBJCOPY  ?= objcopy
specs     = /usr/lib/$(musl)/musl-gcc.specs
check     = $(shell pkg-config --cflags check)
checklibs = $(shell pkg-config --libs check)
endif
clang     = $(if $(ARCH),,$(findstring clang,$(CC)))
HOSTCC   ?= gcc
MULTIARCH := $(shell $(GCC) -print-multiarch 2>/dev/null)
musl      = $(subst -gnu,-musl,$(MULTIARCH))
MUSL_GCC  = $(GCC) -specs $(specs)
compiler  = $(if $(clang),$(CC),$(if $(filter musl,$(libc)),$(MUSL_GCC),$(GCC)))

variant = $(ARCH:%=%-)$(flavour)$(clang:clang=-clang)
bin     = $(patsubst build/musl/%,build/%,build/$(variant:%-musl=%)/istio-init)
inject  = $(dir $(bin))istio-inject
doc     = $(dir $(bin))doc
unit    = $(patsubst build/unit-san/%,build/unit/%,build/unit-$(variant)/run-unit)
# What dyn and glibc compile is the same.
obj     = build/obj/$(subst dyn,glibc,$(variant))
linked  = build/obj/$(variant)
lib     = build/lib/$(ARCH:%=%-)$(libc)

sources      = $(filter-out src/cli/completion/% src/inject/completion/%,$(wildcard src/*.c src/*/*.c src/*/*/*.c))
objects      = $(sources:%.c=$(obj)/%.o)
# Two programs, each with the rooms that it may call; the linker leaves out what is not called.
inject_rooms   = $(filter $(patsubst %,$(obj)/src/%/%,inject serve tls),$(objects))
shared_rooms   = $(filter $(patsubst %,$(obj)/src/%/%,base cli model text json pod),$(objects))
init_objects   = $(filter-out $(inject_rooms),$(objects))
# istio-init's malloc is for a run of milliseconds: the webhook has musl's.
inject_objects = $(inject_rooms) $(filter-out $(obj)/src/base/heap.o,$(shared_rooms)) $(obj)/src/kernel/system/caps.o
parts          = $(filter-out $(obj)/src/main.o $(obj)/src/inject/main.o,$(objects))
unit_objects = $(patsubst %.c,$(obj)/%.o,$(wildcard tests/unit/*.c) tests/fuzz/patch_apply.c) $(parts)

fuzzers      = $(patsubst tests/fuzz/fuzz_%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_objects = $(patsubst %.c,$(obj)/%.o,$(wildcard tests/fuzz/*.c))
fuzz_shared  = $(patsubst %,$(obj)/tests/fuzz/%.o,backend files netlink patch_apply text) $(parts)

strict   = $(if $(WERROR)$(CI),-Werror)
ldstrict = $(if $(strict),-Xlinker --fatal-warnings)
warnings = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
cflags   = -std=gnu11 $(warnings) -Iinclude -Isrc/kernel -isystem $(lib)/include \
           -D_GNU_SOURCE -DISTIO_INIT_VERSION='"$(VERSION)"' -ffile-prefix-map=$(CURDIR)/= \
           -fPIE -fstack-protector-strong -ffunction-sections -fdata-sections -MMD -MP
ldflags  = -Wl,--gc-sections,-z,noseparate-code,-z,relro,-z,now,-z,noexecstack,--build-id=none
inject_libs = -L$(lib) -ljansson -lyaml -lmbedtls
libs        = $(inject_libs) -lip4tc -lip6tc -lnftnl -lmnl

ifeq ($(flavour),musl)
CFLAGS ?= -Oz -fno-asynchronous-unwind-tables
cflags += -idirafter $(lib)/kernel-headers
cflags += $(if $(clang),-nostdinc -isystem /usr/include/$(musl) -isystem $(shell $(compiler) -print-resource-dir)/include)
# musl-gcc's specs know no -static-pie: its start files and linker options, spelt out
link    = $(MUSL_GCC) -nostartfiles -Wl,-static,-pie,--no-dynamic-linker,-z,text -s \
          $(root)/usr/lib/$(musl)/rcrt1.o $(root)/usr/lib/$(musl)/crti.o
crtn    = $(root)/usr/lib/$(musl)/crtn.o
else ifeq ($(flavour),san)
CFLAGS ?= -O1 -g -fno-omit-frame-pointer
cflags += -fsanitize=address,undefined -fno-sanitize-recover=all
link    = $(compiler) -pie -fsanitize=address,undefined
else ifeq ($(flavour),fuzz)
CFLAGS ?= -O1 -g -fno-omit-frame-pointer
cflags += -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
link    = $(compiler) -pie -fsanitize=fuzzer,address,undefined -Wl,--wrap=open,--wrap=write,--wrap=send,--wrap=recv,--wrap=__abi_breakage
else
CFLAGS ?= -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
# A cross build with glibc is for the unit tests only, and not all architectures have a static-pie.
link    = $(compiler) $(if $(DYN),-pie,$(if $(ARCH),-static,-static-pie))
endif

say  = $(if $(V),,@echo '  $(1) $@';)
jobs = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

.DELETE_ON_ERROR:
.PHONY: all objects unit-objects run-unit glibc dyn san unit unit-dyn check-unit check check-faults check-builds check-pod check-cri check-kubernetes check-envoy check-cluster check-fresh fuzzers fuzz lint demo demo-inject demo-cluster bench bench-envoy bench-pod bench-cluster completions install oci sbom deb dist clean FORCE

all: $(bin) $(inject) ; @:
objects: $(objects) ; @:
unit-objects: $(unit_objects) ; @:
run-unit: $(unit) ; @:
fuzzers: $(fuzzers) ; @:

# What a file is made of besides the files that it needs: written anew only where that has changed, so that
# a source that is gone or renamed or another way to link makes the programs anew, and other flags make all.
$(linked)/sources: export words = $(objects) $(unit_objects) $(fuzz_objects) | $(link) $(CFLAGS) $(ldflags) $(LDFLAGS)
$(obj)/flags: export words = $(compiler) $(cflags) $(CPPFLAGS) $(CFLAGS)
$(linked)/sources $(obj)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$$words" | cmp -s - $@ || printf '%s\n' "$$words" >$@
FORCE:

# Installed from where ld wrote it: written in one go, a file lies in large folios of the page cache, and
# starts and runs 5 % faster than in the small ones that ld's many writes leave.
$(bin): $(init_objects) $(linked)/sources Makefile
	@mkdir -p $(@D)
	$(call say,LD)$(link) $(CFLAGS) $(ldflags) $(ldstrict) $(LDFLAGS) -Wl,-Map=$(linked)/istio-init.map -o $(linked)/istio-init $(init_objects) $(libs) $(crtn)
	@install $(linked)/istio-init $@
	@ln -sfn $(@F) $(@D)/istio-iptables
	@ln -sfn $(@F) $(@D)/istio-init-cni

# It asks for addresses, which glibc cannot do in a static program.
$(inject): $(inject_objects) $(linked)/sources Makefile
	@mkdir -p $(@D)
	$(call say,LD)$(link:-static-pie=-pie) $(CFLAGS) $(ldflags) $(ldstrict) $(LDFLAGS) -Wl,-Map=$(linked)/istio-inject.map -o $(linked)/istio-inject $(inject_objects) $(inject_libs) $(crtn)
	@install $(linked)/istio-inject $@

# Static with glibc (a cross build) it may say what such a program cannot do: no test does it.
$(unit): $(unit_objects) $(linked)/sources Makefile
	@mkdir -p $(@D)
	$(call say,LD)$(link) $(CFLAGS) $(ldflags) $(if $(filter -static -static-pie,$(link)),,$(ldstrict)) $(LDFLAGS) -o $@ $(unit_objects) $(libs) $(crtn) $(checklibs)

build/bench/review: $(obj)/tests/bench/review.o $(filter-out $(obj)/src/inject/main.o,$(inject_objects)) $(linked)/sources Makefile
	@mkdir -p $(@D)
	$(call say,LD)$(link) $(CFLAGS) $(ldflags) $(LDFLAGS) -o $@ $(filter %.o,$^) $(inject_libs) $(crtn)

$(fuzzers): build/fuzz/%: $(obj)/tests/fuzz/fuzz_%.o $(fuzz_shared) $(linked)/sources Makefile
	@mkdir -p $(@D)
	$(call say,LD)$(link) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(libs)
build/fuzz/nftables build/fuzz/iptables_nft build/fuzz/rtnl: $(obj)/tests/fuzz/mutator.o

$(obj)/tests/unit/%.o: private cflags += $(check)
# What reads, changes and writes documents, of which there may be megabytes, is made for speed: 40 KB more.
$(obj)/src/json/%.o $(obj)/src/pod/%.o $(obj)/src/inject/%.o $(obj)/src/base/%.o: private CFLAGS := $(CFLAGS:-Oz=-O2)
$(obj)/%.o: %.c $(obj)/flags Makefile $(lib)/stamp
	@mkdir -p $(@D)
	$(call say,CC)$(compiler) $(cflags) $(strict) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

missing = $(shell .ci/packages --missing build)
$(lib)/stamp: .ci/libs src/kernel/iptables_legacy/libiptc.h src/tls/mbedtls.h
	$(if $(missing),$(error missing Debian packages: $(missing) (".ci/packages build" installs them)))
	$(call say,LIBS)CC='$(if $(filter musl,$(libc)),$(MUSL_GCC),$(GCC))' AR=$(AR) OBJCOPY=$(OBJCOPY) \
	  MULTIARCH=$(MULTIARCH) ARCH=$(ARCH) .ci/libs $(libc)

# The other variants, by name
glibc:    ; @$(MAKE) --no-print-directory LIBC=glibc
dyn:      ; @$(MAKE) --no-print-directory DYN=1
san:      ; @$(MAKE) --no-print-directory SAN=1
unit:     ; @$(MAKE) --no-print-directory SAN=1 run-unit
unit-dyn: ; @$(MAKE) --no-print-directory DYN=1 run-unit

check-unit:
	@.ci/packages test
	@$(MAKE) --no-print-directory $(jobs) unit
	build/unit/run-unit

check:
	@.ci/as-root
	@.ci/packages test
	@$(MAKE) --no-print-directory $(jobs) WERROR=1 all glibc completions
	@$(MAKE) --no-print-directory $(jobs) WERROR=1 SAN=1 all run-unit
	@$(MAKE) --no-print-directory $(jobs) WERROR=1 DYN=1 all run-unit
	@tests/run

check-faults:
	@.ci/as-root
	@.ci/packages test
	@$(MAKE) --no-print-directory $(jobs) all
	@ISTIO_INIT_FAULTS=all tests/run \
		-k 'test_faults or test_unlike_runs or test_diff_and_apply or test_random_states or test_foreign'

check-builds:
	@.ci/packages builds
	@$(MAKE) --no-print-directory $(jobs) all
	@tests/builds/run

fuzz:
	@.ci/packages fuzz
	@$(MAKE) --no-print-directory $(jobs) CC=clang FUZZ=1 fuzzers
	@tests/fuzz/run

check-pod:
	@.ci/as-root
	@.ci/packages image e2e
	@.ci/image
	@tests/e2e/run

# Programs of Go's, built once for their modules
build/cri/bin/libcni: tests/cri/go.mod tests/cri/go.sum tests/cri/libcni/main.go
	$(call say,GO)tests/cri/build

check-cri:
	@.ci/as-root
	@.ci/packages cri
	@$(MAKE) --no-print-directory $(jobs) all build/cri/bin/libcni
	@tests/cri/run

build/kubernetes/kubernetes: tests/kubernetes/go.mod tests/kubernetes/go.sum tests/kubernetes/main.go
	$(call say,GO)tests/kubernetes/build kubernetes .

build/kubernetes/kubelet: tests/kubernetes/go.mod tests/kubernetes/go.sum tests/kubernetes/kubelet/main.go
	$(call say,GO)tests/kubernetes/build kubelet ./kubelet

check-kubernetes:
	@.ci/as-root
	@.ci/packages kubernetes
	@$(MAKE) --no-print-directory $(jobs) all build/kubernetes/kubernetes
	@tests/kubernetes/run

# A program as it is, fetched once
build/envoy/envoy/_bin/envoy: tests/envoy/fetch
	$(call say,FETCH)tests/envoy/fetch

check-envoy:
	@.ci/as-root
	@.ci/packages envoy || exit 77
	@$(MAKE) --no-print-directory $(jobs) all build/envoy/envoy/_bin/envoy
	@tests/envoy/run

bench-envoy:
	@.ci/as-root
	@.ci/packages envoy || exit 77
	@$(MAKE) --no-print-directory $(jobs) all build/envoy/envoy/_bin/envoy
	@tests/envoy/bench

node_programs = build/cri/bin/libcni build/kubernetes/kubernetes build/kubernetes/kubelet build/envoy/envoy/_bin/envoy
check-cluster:
	@.ci/as-root
	@.ci/packages cri kubernetes envoy || exit 77
	@$(MAKE) --no-print-directory $(jobs) all $(node_programs)
	@tests/cluster/run

check-fresh:
	@.ci/as-root
	@.ci/packages fresh
	@tests/fresh/run

lint:
	@.ci/packages lint
	@.ci/lint

demo:
	@.ci/as-root
	@.ci/packages demo
	@$(MAKE) --no-print-directory $(jobs) all
	@tests/demo

demo-inject:
	@.ci/packages demo
	@$(MAKE) --no-print-directory $(jobs) all
	@tests/demo-inject

demo-cluster:
	@.ci/as-root
	@.ci/packages cri kubernetes envoy || exit 77
	@$(MAKE) --no-print-directory $(jobs) all $(node_programs)
	@tests/cluster/demo

bench:
	@.ci/as-root
	@.ci/packages bench
	@$(MAKE) --no-print-directory $(jobs) all build/bench/review
	@tests/bench/run
	@tests/bench/memory
	@tests/bench/inject
	@tests/bench/serve

bench-pod:
	@.ci/as-root
	@.ci/packages bench cri
	@$(MAKE) --no-print-directory $(jobs) all build/cri/bin/libcni
	@tests/cri/bench

bench-cluster:
	@.ci/as-root
	@.ci/packages bench cri kubernetes envoy || exit 77
	@$(MAKE) --no-print-directory $(jobs) all $(node_programs)
	@tests/cluster/bench

# Made by a tool that runs on the machine that builds, whatever that builds for
completions: $(addprefix build/completion/,bash zsh fish inject-bash inject-zsh inject-fish) ; @:
build/completion/generate: src/cli/completion/generate.c src/cli/options.def include/commands.def include/commands.h Makefile
	@mkdir -p $(@D)
	$(call say,HOSTCC)$(HOSTCC) -std=gnu11 $(warnings) $(strict) -Iinclude -o $@ $<
build/completion/bash build/completion/zsh build/completion/fish: build/completion/generate
	$(call say,GEN)$< $(@F) >$@
build/completion/generate-inject: src/inject/completion/generate.c src/inject/options.def src/inject/verbs.def Makefile
	@mkdir -p $(@D)
	$(call say,HOSTCC)$(HOSTCC) -std=gnu11 $(warnings) -o $@ $<
build/completion/inject-bash build/completion/inject-zsh build/completion/inject-fish: build/completion/generate-inject
	$(call say,GEN)$< $(@F:inject-%=%) >$@

install: all completions
	install -D -m 755 $(bin) $(DESTDIR)$(SBINDIR)/istio-init
	ln -sfn istio-init $(DESTDIR)$(SBINDIR)/istio-iptables
	ln -sfn istio-init $(DESTDIR)$(SBINDIR)/istio-init-cni
	install -D -m 644 man/istio-init.8 $(DESTDIR)$(MANDIR)/man8/istio-init.8
	ln -sfn istio-init.8 $(DESTDIR)$(MANDIR)/man8/istio-iptables.8
	ln -sfn istio-init.8 $(DESTDIR)$(MANDIR)/man8/istio-init-cni.8
	install -D -m 644 man/istio-init.schema.json $(DESTDIR)$(DATADIR)/istio-init.schema.json
	install -D -m 644 build/completion/bash $(DESTDIR)$(BASHDIR)/istio-init
	ln -sfn istio-init $(DESTDIR)$(BASHDIR)/istio-iptables
	install -D -m 644 build/completion/zsh $(DESTDIR)$(ZSHDIR)/_istio-init
	install -D -m 644 build/completion/fish $(DESTDIR)$(FISHDIR)/istio-init.fish
	ln -sfn istio-init.fish $(DESTDIR)$(FISHDIR)/istio-iptables.fish
	install -D -m 755 $(inject) $(DESTDIR)$(SBINDIR)/istio-inject
	install -D -m 644 man/istio-inject.8 $(DESTDIR)$(MANDIR)/man8/istio-inject.8
	install -D -m 644 build/completion/inject-bash $(DESTDIR)$(BASHDIR)/istio-inject
	install -D -m 644 build/completion/inject-zsh $(DESTDIR)$(ZSHDIR)/_istio-inject
	install -D -m 644 build/completion/inject-fish $(DESTDIR)$(FISHDIR)/istio-inject.fish

sbom: all
	@.ci/libs hashes
	@VERSION=$(VERSION) .ci/sbom istio-init $(linked)/istio-init.map $(doc)/istio-init
	@VERSION=$(VERSION) .ci/sbom istio-inject $(linked)/istio-inject.map $(doc)/istio-inject

deb: sbom
	@rm -rf build/deb
	@$(MAKE) --no-print-directory -s install DESTDIR=$(CURDIR)/build/deb/stage PREFIX=/usr
	$(call say,DEB)VERSION=$(VERSION) .ci/deb istio-init build/deb/stage
	@VERSION=$(VERSION) .ci/deb istio-inject build/deb/stage

# REVISION and SOURCE become labels, if they are known.
native    = $(shell dpkg --print-architecture)
folder    = $(if $(filter $(native),$(1)),build,build/$(1))
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
SOURCE   ?=
oci: sbom
	@for arch in $(filter-out $(native),amd64 arm64); do $(MAKE) --no-print-directory $(jobs) ARCH=$$arch sbom || exit; done
	$(call say,OCI)for program in istio-init istio-inject; do \
	  VERSION='$(VERSION)' REVISION='$(REVISION)' SOURCE='$(SOURCE)' .ci/oci $$program build/oci/$$program \
	    $(foreach arch,amd64 arm64,$(arch)=$(call folder,$(arch))) || exit; done

dist: build/istio-init-$(VERSION).tar.xz
build/istio-init-$(VERSION).tar.xz: FORCE
	@git cat-file -e HEAD:./Makefile 2>/dev/null || { echo 'dist: needs git and a clone of the repository' >&2; exit 1; }
	@mkdir -p $(@D)
	git -c tar.tar.xz.command='xz -9e' archive --prefix=istio-init-$(VERSION)/ -o $@ HEAD

clean:
	rm -rf build

-include $(patsubst %.o,%.d,$(objects) $(unit_objects) $(fuzz_objects) $(obj)/tests/bench/review.o)
