# The C interface: a shared library that takes libmodsecurity.so.3's place.
#
#   make capi                       target/capi/: the library, its links, modsecurity.pc, and `built`, which says which of the two builds it is
#   make capi-pgo                   the same, optimised for what runs often: a first build counts that while it judges transactions of many kinds.
#                                   Takes three times as long, and needs `rustup component add llvm-tools`. The transactions are judged by
#                                   Debian's modsecurity-crs, or by the OWASP CRS in the folder that CRS=… names
#   make install                    below /usr/local, where the loader looks first; PREFIX, LIBDIR and DESTDIR as usual
#   make deb                        Debian packages in target/deb/ of the library that `make capi-pgo` builds; PACKAGED=capi packs that of `make capi`.
#                                   They divert Debian's own library and give it back
#   make check-capi                 builds it and runs the C tests on it
#
# With FEATURES="lua lmdb xml-validation remote" each of them means a library that fetches rules from https addresses, and posts audit records there, too;
# without `lua` it runs no scripts, without `xml-validation` it refuses @validateDTD and @validateSchema. The library is the package `secrule-capi`, in capi/.

PREFIX ?= /usr/local
# Where the loader of the distribution looks: lib/x86_64-linux-gnu on Debian and its like, lib64 on Red Hat's, else lib.
MULTIARCH := $(if $(wildcard /etc/debian_version),$(shell $(CC) -print-multiarch))
LIBDIR ?= $(PREFIX)/$(if $(MULTIARCH),lib/$(MULTIARCH),$(if $(wildcard /etc/redhat-release),lib64,lib))
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR ?=
CARGO ?= cargo
FEATURES ?= lua lmdb xml-validation
# Those of the command that `make deb` packs: its manual says that a package has all but `otel` and `remote`.
COMMAND_FEATURES ?= envoy lua lmdb redis serve worlds xml-validation

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
TARGET := $(or $(CARGO_TARGET_DIR),target)
CAPI := $(TARGET)/capi
SONAME := libmodsecurity.so.3
HEADERS := $(wildcard capi/include/modsecurity/*.h)
RUST := $(shell find src capi/src crs/starter crs/crawlers.data -type f)

LINK := -C link-arg=-Wl,-soname,$(SONAME)

.PHONY: capi capi-pgo install uninstall deb check-capi clean-capi always

capi: $(CAPI)/$(SONAME) $(CAPI)/modsecurity.pc $(CAPI)/LICENSES.txt

$(CAPI)/$(SONAME): Cargo.toml Cargo.lock capi/Cargo.toml $(RUST) $(CAPI)/features
	$(CARGO) rustc --package secrule-capi --profile dist --lib --crate-type cdylib --no-default-features --features "$(FEATURES)" -- $(LINK)
	mkdir -p $(CAPI)
	cp $(TARGET)/dist/libsecrule_capi.so $@.new
	mv $@.new $@
	echo plain > $(CAPI)/built
	ln -sf $(SONAME) $(CAPI)/libmodsecurity.so

# The library that is packed: one of the two.
PACKAGED ?= capi-pgo

# How many transactions a build with counters judges.
TRAINING ?= 20000
# Both builds are of the same profile, for cargo puts that into the names by which the second finds the counts of the first.
# The crates of the library alone are counted: build scripts and macros run for the machine that builds, with other flags.
HOST_TARGET := $(shell rustc -vV | sed -n 's/^host: //p')
PROFDATA ?= $(shell rustc --print sysroot)/lib/rustlib/$(HOST_TARGET)/bin/llvm-profdata
PGO := $(abspath $(TARGET))/pgo
PGO_BUILD = $(CARGO) rustc --package secrule-capi --profile dist --lib --crate-type cdylib --target $(HOST_TARGET) --target-dir $(PGO) --no-default-features --features "$(FEATURES)" -- $(LINK)

# Takes the place of the library that `make capi` built; that stays until a source changes.
capi-pgo: $(CAPI)/features $(CAPI)/modsecurity.pc $(CAPI)/LICENSES.txt
	@test -x "$(PROFDATA)" || { echo "$(PROFDATA) is not there: 'rustup component add llvm-tools' installs it" >&2; exit 1; }
	capi/training/rules "$(CRS)" > $(CAPI)/training.conf
	rm -rf $(PGO)/counts
	RUSTFLAGS="$(RUSTFLAGS) -C profile-generate=$(PGO)/counts" $(PGO_BUILD)
	cp $(PGO)/$(HOST_TARGET)/dist/libsecrule_capi.so $(PGO)/$(SONAME)
	$(CC) -O1 -Icapi/include -o $(PGO)/train capi/training/train.c $(PGO)/$(SONAME) -Wl,-rpath,$(PGO)
	$(PGO)/train $(CAPI)/training.conf $(TRAINING)
	$(PROFDATA) merge -o $(PGO)/profile $(PGO)/counts
	RUSTFLAGS="$(RUSTFLAGS) -C profile-use=$(PGO)/profile" $(PGO_BUILD)
	cp $(PGO)/$(HOST_TARGET)/dist/libsecrule_capi.so $(CAPI)/$(SONAME).new
	mv $(CAPI)/$(SONAME).new $(CAPI)/$(SONAME)
	echo profile-guided > $(CAPI)/built
	ln -sf $(SONAME) $(CAPI)/libmodsecurity.so

# Changes when other features are asked for, and only then.
$(CAPI)/features: always
	@mkdir -p $(CAPI)
	@echo "$(FEATURES)" | cmp -s - $@ || echo "$(FEATURES)" > $@

$(CAPI)/modsecurity.pc: capi/modsecurity.pc.in Cargo.toml Makefile
	mkdir -p $(CAPI)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' $< > $@

# The licenses of whatever the library holds, which go with it.
$(CAPI)/LICENSES.txt: Cargo.toml Cargo.lock capi/Cargo.toml $(CAPI)/features capi/notices
	cat NOTICE LICENSE > $@.new
	capi/notices secrule-capi "$(FEATURES)" >> $@.new
	mv $@.new $@

# A file of a package is not overwritten: the next update of the package would bring its own back without a word.
install: capi
	@if [ -z "$(DESTDIR)" ] && owner=$$(dpkg -S $(LIBDIR)/$(SONAME) 2>/dev/null); then \
		echo "$(LIBDIR)/$(SONAME) belongs to the package $${owner%%:*}: 'make deb' builds one that diverts it; 'make install PREFIX=/usr/local' installs beside it" >&2; \
		exit 1; \
	fi
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)/modsecurity
	install -m 755 $(CAPI)/$(SONAME) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libmodsecurity.so
	install -m 644 $(HEADERS) $(DESTDIR)$(INCLUDEDIR)/modsecurity
	install -d $(DESTDIR)$(PREFIX)/share/doc/secrule
	install -m 644 $(CAPI)/LICENSES.txt $(DESTDIR)$(PREFIX)/share/doc/secrule
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' capi/modsecurity.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/modsecurity.pc
ifeq ($(DESTDIR),)
	capi/loader refresh $(LIBDIR)
else
	@echo "On the machine where $(LIBDIR) is: run 'ldconfig', then 'ldconfig -p | grep $(SONAME)' shows which library programs load."
endif

uninstall:
	rm -f $(DESTDIR)$(LIBDIR)/$(SONAME) $(DESTDIR)$(LIBDIR)/libmodsecurity.so $(DESTDIR)$(LIBDIR)/pkgconfig/modsecurity.pc
	rm -rf $(DESTDIR)$(INCLUDEDIR)/modsecurity $(DESTDIR)$(PREFIX)/share/doc/secrule
ifeq ($(DESTDIR),)
	capi/loader refresh
endif

deb: $(PACKAGED)
	$(CARGO) build --package secrule-command --release --no-default-features --features "$(COMMAND_FEATURES)"
	cat NOTICE LICENSE > $(CAPI)/LICENSES-command.txt
	capi/notices secrule-command "$(COMMAND_FEATURES)" >> $(CAPI)/LICENSES-command.txt
	LIBRARY=$(CAPI)/$(SONAME) LICENSES=$(CAPI)/LICENSES.txt COMMAND=$(TARGET)/release/secrule COMMAND_LICENSES=$(CAPI)/LICENSES-command.txt HEADERS="$(HEADERS)" VERSION=$(VERSION) OUTPUT=$(TARGET)/deb capi/debian/build

check-capi: capi
	$(CARGO) test --package secrule-capi --lib --no-default-features --features "$(FEATURES)"
	$(CARGO) test --package secrule-capi --test functions --test abi --test nginx --test masking --test luajit --test trafficserver

clean-capi:
	rm -rf $(CAPI)
