#!/usr/bin/env bash
# Installs the library as users do, in a root of its own that is gone afterwards, and asks nginx which engine answers.
#
#   tests/installation.sh        after `make capi deb`; needs Debian, root, nginx with its ModSecurity module, and overlay mounts
#
# 1. The package: Debian's library answers, ours is installed and answers, ours is removed and Debian's answers again.
# 2. `make install`: ours answers, `make uninstall` brings Debian's back.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" != inside ]; then
    exec unshare --mount --net bash "$0" inside
fi

fail() { echo "installation: $*" >&2; exit 1; }

# What happens in the new root lies in memory; the machine's own files are seen through it and stay as they are.
scratch=$(mktemp -d)
mount -t tmpfs tmpfs "$scratch"
trap 'umount --recursive --lazy "$scratch"; rmdir "$scratch"' EXIT
mkdir "$scratch/changes" "$scratch/work" "$scratch/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/changes,workdir=$scratch/work" "$scratch/root"
root=$scratch/root
for place in dev proc tmp; do mount --rbind "/$place" "$root/$place"; done
ip link set lo up
project=$root/opt/secrule
mkdir -p "$project"
mount --bind . "$project"

in_root() { chroot "$root" "$@"; }

mkdir -p "$root/opt/nginx/logs"
# The library's name is in the JSON audit log of each transaction.
cat >"$root/opt/nginx/nginx.conf" <<'END'
load_module /usr/lib/nginx/modules/ngx_http_modsecurity_module.so;
pid /opt/nginx/nginx.pid;
error_log /opt/nginx/logs/error.log;
events {}
http {
    access_log off;
    server {
        listen 127.0.0.1:8080;
        modsecurity on;
        modsecurity_rules '
            SecRuleEngine On
            SecAuditEngine On
            SecAuditLogFormat JSON
            SecAuditLogParts ABHZ
            SecAuditLog /opt/nginx/logs/audit.log
            SecRule ARGS:q "@contains evil" "id:1,phase:1,deny,status:418"
        ';
        location / { return 200; }
    }
}
END

# Whether nginx denies what its rule denies, by the engine that is expected.
answers() { # NAME
    : >"$root/opt/nginx/logs/audit.log"
    chmod 666 "$root/opt/nginx/logs/audit.log"
    in_root nginx -c /opt/nginx/nginx.conf
    local status
    status=$(in_root python3 - <<'END'
import http.client
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=10)
connection.request("GET", "/?q=evil")
print(connection.getresponse().status)
END
)
    in_root nginx -c /opt/nginx/nginx.conf -s stop
    for _ in $(seq 50); do [ -e "$root/opt/nginx/nginx.pid" ] || break; sleep 0.1; done
    [ "$status" = 418 ] || fail "$1: the answer is $status, not 418"
    grep -q "\"producer\":{\"modsecurity\":\"$1" "$root/opt/nginx/logs/audit.log" ||
        fail "$1 does not answer; the audit log names $(grep -o '"producer":{[^}]*}' "$root/opt/nginx/logs/audit.log" | head -n 1)"
    echo "$1 answers"
}

answers ModSecurity

target=${CARGO_TARGET_DIR:-target}
for package in libmodsecurity3-secrule secrule; do
    cp "$target"/deb/"${package}"_*.deb "$root/opt/$package.deb"
done
in_root dpkg --install /opt/libmodsecurity3-secrule.deb /opt/secrule.deb
answers secrule
in_root secrule --version
in_root ldconfig
answers secrule
in_root dpkg --install /opt/libmodsecurity3-secrule.deb
answers secrule
in_root dpkg --remove libmodsecurity3-secrule secrule
[ -z "$(in_root dpkg-divert --list '*libmodsecurity*')" ] || fail "a diversion is left"
[ -z "$(find "$root"/usr/lib -name 'distrib-libmodsecurity*' -o -name 'libmodsecurity.so.3.100*')" ] || fail "a file is left"
answers ModSecurity
in_root dpkg --verify libmodsecurity3 || fail "Debian's files changed"

in_root make --silent --directory /opt/secrule --old-file capi install
answers secrule
in_root make --silent --directory /opt/secrule uninstall
answers ModSecurity
if in_root make --silent --directory /opt/secrule --old-file capi install PREFIX=/usr 2>"$scratch/refusal"; then
    fail "make install overwrote a file of a package"
fi
grep -q "make deb" "$scratch/refusal" || fail "the refusal names no remedy: $(cat "$scratch/refusal")"
echo "installation: 1 passed, 0 failed"
