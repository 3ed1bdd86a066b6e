# The C interface: a shared library that takes libmodsecurity.so.3's place.
#
#   make capi                       target/capi/: the library, its links, modsecurity.pc
#   make install PREFIX=/usr        where libmodsecurity's own would be; DESTDIR is put before it
#   make check-capi                 builds it and runs the C tests on it
#
# With FEATURES="capi fuzzy-hash lua remote" each of them means a library that fetches rules from https addresses, and posts audit records there, too;
# without `lua` it runs no scripts, without `fuzzy-hash` it has no `@fuzzyHash` and no code under the GPL.

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR ?=
CARGO ?= cargo
FEATURES ?= capi fuzzy-hash lua

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
TARGET := $(or $(CARGO_TARGET_DIR),target)
CAPI := $(TARGET)/capi
SONAME := libmodsecurity.so.3
HEADERS := $(wildcard include/modsecurity/*.h)
RUST := $(shell find src crs/starter crs/crawlers.data -type f)

LINK := -C link-arg=-Wl,-soname,$(SONAME)

.PHONY: capi install uninstall check-capi clean-capi always

capi: $(CAPI)/$(SONAME) $(CAPI)/modsecurity.pc

$(CAPI)/$(SONAME): Cargo.toml Cargo.lock $(RUST) $(CAPI)/features
	$(CARGO) rustc --profile dist --lib --crate-type cdylib --no-default-features --features "$(FEATURES)" -- $(LINK)
	mkdir -p $(CAPI)
	cp $(TARGET)/dist/libsecrule.so $@.new
	mv $@.new $@
	ln -sf $(SONAME) $(CAPI)/libmodsecurity.so

# Changes when other features are asked for, and only then.
$(CAPI)/features: always
	@mkdir -p $(CAPI)
	@echo "$(FEATURES)" | cmp -s - $@ || echo "$(FEATURES)" > $@

$(CAPI)/modsecurity.pc: capi/modsecurity.pc.in Cargo.toml Makefile
	mkdir -p $(CAPI)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' $< > $@

install: capi
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)/modsecurity
	install -m 755 $(CAPI)/$(SONAME) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libmodsecurity.so
	install -m 644 $(HEADERS) $(DESTDIR)$(INCLUDEDIR)/modsecurity
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' capi/modsecurity.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/modsecurity.pc

uninstall:
	rm -f $(DESTDIR)$(LIBDIR)/$(SONAME) $(DESTDIR)$(LIBDIR)/libmodsecurity.so $(DESTDIR)$(LIBDIR)/pkgconfig/modsecurity.pc
	rm -rf $(DESTDIR)$(INCLUDEDIR)/modsecurity

check-capi: capi
	$(CARGO) test --lib --no-default-features --features "$(FEATURES)" ffi::
	$(CARGO) test --test capi --test abi --test nginx --test luajit --test trafficserver

clean-capi:
	rm -rf $(CAPI)
