# deskhand - the only build file.
#
#   make            build/release/deskhand
#   make check      install what is missing, build, run every test
#   make demo       install what is missing, build, run the agent on a private
#                   X display with real applications
#   make test-base  one folder's tests; also capture, actions, vision, model,
#                   agent, tools
#   make bench      measure the embedded model on real applications
#   make tasks      the live tasks, by nobody, by their solutions and by sprout
#   make bench-io   measure seeing and acting beside other programs
#   make gates      format, order of the folders, banned calls
#   MODE=debug|asan|tsan|release picks the kind of build, V=1 shows commands.

MODE ?= release
B ?= build/$(MODE)
PREFIX ?= /usr/local

FOLDERS := base capture actions vision model agent tools
PKGS := x11 xtst xi xext xfixes xdamage xrandr xcomposite libpng zlib libcjson \
        libpcre2-8 libturbojpeg xkbcommon xkbcommon-x11 xcb
# Not every command needs these, and they take long to load: base/late.h.
LATE_PKGS := libavcodec libavformat libavutil libswscale atspi-2 gobject-2.0 \
             libcurl libmicrohttpd sdl2 SDL2_ttf fontconfig libarchive
LATE ?= $(if $(filter x86_64,$(shell uname -m)),yes,no)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wundef -Wstrict-prototypes \
        -Wmissing-prototypes -Wold-style-definition -Wpointer-arith \
        -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wimplicit-fallthrough \
        -Wswitch-enum -Wconversion -Wno-sign-conversion -Wdouble-promotion \
        -Wnull-dereference -Werror
ifeq ($(findstring clang,$(shell $(CC) --version 2>/dev/null)),)
WARN += -Wduplicated-cond -Wduplicated-branches -Wlogical-op
endif

FLAGS_release := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 \
                 -fstack-protector-strong -fno-common -fvisibility=hidden
FLAGS_debug := -O0 -g -DDH_DEBUG
# A compiler warns of more than there is in code that it instruments itself.
FLAGS_asan := -O2 -g -DDH_DEBUG -Wno-error -fno-omit-frame-pointer \
              -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS_fuzz := -O1 -g -DDH_DEBUG -Wno-error -fno-omit-frame-pointer \
              -fsanitize=fuzzer-no-link,address,undefined \
              -fno-sanitize-recover=all
FLAGS_tsan := -O2 -g -DDH_DEBUG -Wno-error -fsanitize=thread
LINK_release := -Wl,-z,relro,-z,now
LINK_asan := -fsanitize=address,undefined
LINK_fuzz := -fsanitize=fuzzer,address,undefined
LINK_tsan := -fsanitize=thread

VERSION := $(shell cat VERSION 2>/dev/null || echo 0.1.0)
# The warnings are for our code, not for the headers of libraries.
PKG_CFLAGS := $(patsubst -I%,-isystem%,\
    $(shell pkg-config --cflags $(PKGS) $(LATE_PKGS) 2>/dev/null))
PKG_LIBS := $(shell pkg-config --libs \
    $(PKGS) $(if $(filter no,$(LATE)),$(LATE_PKGS)) 2>/dev/null)
CFLAGS_ALL = -std=c17 -D_GNU_SOURCE -I. $(WARN) $(FLAGS_$(MODE)) \
             -ffp-contract=off -DDH_VERSION='"$(VERSION)"' \
             $(PKG_CFLAGS) -pthread -MMD -MP $(CFLAGS)
LDFLAGS_ALL = $(LINK_$(MODE)) -pthread $(LDFLAGS)
LIBS = $(PKG_LIBS) -lm

srcs = $(wildcard $(1)/*.c) $(if $(filter model,$(1)),$(wildcard model/cpu/*.c))
objs = $(patsubst %.c,$(B)/%.o,$(call srcs,$(1)))

Q := $(if $(V),,@)
SAY := @$(if $(V),:,echo)

.PHONY: all check demo tasks test gates install clean bench bench-io fuzz
all: $(B)/deskhand

$(B)/%_avx2.o: ISA := $(if $(filter x86_64,$(shell uname -m)),-mavx2 -mfma -mf16c)
$(B)/%_avx512.o: ISA := $(if $(filter x86_64,$(shell uname -m)),-mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mf16c)
$(B)/model/cpu/pairs_avx512.o $(B)/model/cpu/mxfp8_avx512.o $(B)/model/cpu/blocks_avx512.o: ISA += $(if $(filter x86_64,$(shell uname -m)),-mavx512bf16)
$(B)/%_amx.o: ISA := $(if $(filter x86_64,$(shell uname -m)),-mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mf16c -mavx512bf16 -mavx512vbmi -mamx-tile -mamx-bf16 -mamx-int8)
$(B)/model/cpu/ints_avx512.o $(B)/model/cpu/ints_k_avx512.o: ISA += $(if $(filter x86_64,$(shell uname -m)),-mavx512vnni)
$(B)/model/cpu/ints_vnni_avx2.o $(B)/model/cpu/ints_k_vnni_avx2.o: ISA += $(if $(filter x86_64,$(shell uname -m)),-mavxvnni)
$(B)/model/cpu/ints_dotprod_neon.o: ISA := $(if $(filter aarch64,$(shell uname -m)),-march=armv8.2-a+dotprod)
# Checks of every access make unrolled loops large: -O2 takes minutes for them.
# What is fuzzed are readers, not kernels.
ifeq ($(MODE),asan)
$(B)/model/cpu/%.o: ISA += -O1
else ifeq ($(MODE),fuzz)
$(B)/model/cpu/%.o: ISA += -fno-sanitize=all
endif
# Loops that are plain C and become vectors.
ifeq ($(MODE),release)
$(B)/vision/match_bound.o $(B)/vision/match_avx2.o: ISA += -O3
endif

# The name that a linker would write into the program for -l$(1).
soname = -DDH_SONAME_$(firstword $(subst -, ,$(1)))='"$(shell readelf -d \
    $$($(CC) -print-file-name=lib$(1).so) | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')"'
LATE_LIBS := avutil avcodec avformat swscale SDL2 SDL2_ttf fontconfig curl \
             microhttpd atspi glib-2.0 gobject-2.0 archive
$(B)/%late.o: ISA = $(if $(filter no,$(LATE)),,-DDH_LATE) \
    $(foreach l,$(LATE_LIBS),$(call soname,$(l)))
# Only what writes it down has to know the commit.
$(B)/agent/eval_run.o: CFLAGS += -DDH_COMMIT='"$(shell git rev-parse HEAD 2>/dev/null)"'
$(B)/agent/eval_run.o: $(wildcard $(shell git rev-parse --git-path logs/HEAD 2>/dev/null))

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(SAY) '  CC   $<'
	$(Q)$(CC) $(CFLAGS_ALL) $(ISA) -c -o $@ $<

# What a session says that it was made by. Made anew when HEAD moves.
head := $(shell git rev-parse --git-path logs/HEAD 2>/dev/null)
commit := $(shell git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null)
$(B)/agent/session_file.o: ISA := -DDH_COMMIT='"$(commit)"'
$(B)/agent/session_file.o: $(wildcard $(head))

# An archive per folder: a folder's tests link only what it may use.
define archive
$(B)/lib$(1).a: $(call objs,$(1))
	@rm -f $$@
	$(Q)$(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call archive,$(f))))

# Right to left: what a folder needs comes after it.
uses_base := base
uses_capture := capture base
uses_actions := actions base
uses_vision := vision capture base
uses_model := model vision capture base
uses_agent := agent model vision actions capture base
uses_tools := tools agent model vision actions capture base
libs = $(patsubst %,$(B)/lib%.a,$(uses_$(1)))

$(B)/deskhand: $(B)/tools/main.o $(call libs,tools)
	$(SAY) '  LINK $@'
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(B)/tools/main.o $(call libs,tools) $(LIBS)

# Tests: one program per folder, each test in a process of its own. Some use
# what the tests of another folder have: small checkpoints, X clients, servers.
helpers_agent := tests/model/checkpoint.c tests/actions/listener.c \
                 tests/capture/server.c tests/capture/person.c
helpers_tools := $(helpers_agent) tests/agent/talker.c tests/agent/bus.c \
                 tests/agent/peer.c tests/agent/sample.c
define testbin
$(B)/test-$(1): $(patsubst %.c,$(B)/%.o,tests/runner.c $(wildcard tests/$(1)/*.c) $(helpers_$(1))) $(call libs,$(1))
	$(SAY) '  LINK $$@'
	$(Q)$(CC) $$(LDFLAGS_ALL) -o $$@ $$^ $$(LIBS)
.PHONY: test-$(1)
test-$(1): $(B)/test-$(1)
	B=$(B) tests/run.sh $(1)
endef
$(foreach f,$(FOLDERS),$(eval $(call testbin,$(f))))
# The tests of tools run the program itself.
test-tools: $(B)/deskhand

# A person at the desk, for the scripts of tests/x11.
$(B)/person: $(B)/tests/x11/person.o $(B)/tests/capture/person.o $(B)/libbase.a
	$(SAY) '  LINK $@'
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

test: $(patsubst %,$(B)/test-%,$(FOLDERS)) $(B)/deskhand
	B=$(B) tests/run.sh $(FOLDERS)

# Fuzz targets need clang: make fuzz FUZZ_SECONDS=60
FUZZ_SECONDS ?= 60
$(B)/fuzz-%: $(B)/tests/fuzz/fuzz_%.o $(call libs,agent)
	$(SAY) '  LINK $@'
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ -Wl,--start-group $^ -Wl,--end-group $(LIBS)
.PRECIOUS: $(B)/tests/fuzz/fuzz_%.o
$(B)/fuzz-request: $(B)/tools/serve_request.o

fuzz:
	tests/fuzz/run.sh $(FUZZ_SECONDS)

gates:
	tools/check_format.sh
	tools/check_layers.sh
	tools/check_banned.sh

check:
	tools/install_deps.sh --demo --fuzz
	tests/check.sh

demo:
	tools/install_deps.sh --demo
	$(MAKE) MODE=release
	tools/demo.sh

tasks: $(B)/deskhand
	tools/install_deps.sh --tasks
	$(B)/deskhand eval tasks --noop --oracle --jobs 2 --out tasks-out
	$(B)/deskhand eval tasks --jobs 2 --threads 1 --resume tasks-out

bench: $(B)/deskhand
	$(B)/deskhand eval ground assets/eval/real

bench-io: $(B)/deskhand
	tools/install_deps.sh --bench
	$(B)/deskhand bench io

install: $(B)/deskhand
	install -D -m 755 $(B)/deskhand $(DESTDIR)$(PREFIX)/bin/deskhand
	mkdir -p $(DESTDIR)$(PREFIX)/share/man/man1
	$(B)/deskhand help --man > $(DESTDIR)$(PREFIX)/share/man/man1/deskhand.1
	mkdir -p $(DESTDIR)$(PREFIX)/share/deskhand
	cp -r assets/models assets/prompts $(DESTDIR)$(PREFIX)/share/deskhand/

clean:
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
