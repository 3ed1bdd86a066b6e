#!/bin/sh
# Installs the OWASP CRS, which this project does not ship, from a Debian package or a release archive.
set -eu

usage() {
    cat <<'HELP'
Usage:
  install.sh --debian [--force] DIR
  install.sh --archive FILE (--sha256 HEX | --sha256-file FILE) [--force] DIR

Puts the OWASP CRS into DIR as crs-setup.conf and rules/.

  --debian            copy it from the installed package modsecurity-crs
  --archive FILE      unpack a release that you have downloaded (.tar.gz, .tgz or .zip)
  --sha256 HEX        the SHA-256 that the archive must have
  --sha256-file FILE  a file in the format of sha256sum that names the archive, or holds one sum
  --force             replace an existing crs-setup.conf and rules/ in DIR
  --help              this text

Exit codes: 0 installed, 1 failed, 2 wrong usage, 3 checksum differs, 4 already installed.
HELP
}

fail() { # code message
    printf 'install.sh: %s\n' "$2" >&2
    exit "$1"
}

need() { # program
    command -v "$1" >/dev/null 2>&1 || fail 1 "the program $1 is needed and was not found"
}

value() { # option, number of arguments left
    [ "$2" -ge 2 ] || fail 2 "$1 needs a value (see --help)"
}

source='' archive='' sum='' sum_file='' force=no dir=''
while [ $# -gt 0 ]; do
    case $1 in
        --help | -h) usage; exit 0 ;;
        --debian) source=debian ;;
        --archive) value "$1" $#; source=archive; archive=$2; shift ;;
        --sha256) value "$1" $#; sum=$2; shift ;;
        --sha256-file) value "$1" $#; sum_file=$2; shift ;;
        --force) force=yes ;;
        -*) fail 2 "unknown option $1 (see --help)" ;;
        *) [ -z "$dir" ] || fail 2 "more than one directory given"; dir=$1 ;;
    esac
    shift
done
[ -n "$source" ] || fail 2 "say --debian or --archive FILE (see --help)"
[ -n "$dir" ] || fail 2 "no directory given (see --help)"
if [ "$source" = debian ] && [ -n "$archive$sum$sum_file" ]; then
    fail 2 "--debian takes no archive and no checksum: the package manager has checked it"
fi

if [ "$force" = no ] && { [ -e "$dir/crs-setup.conf" ] || [ -e "$dir/rules" ]; }; then
    fail 4 "$dir already holds rules; --force replaces them"
fi

work=$(mktemp -d) || fail 1 "cannot make a temporary directory"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# The sum is compared before a single byte of the archive is unpacked.
check_sum() {
    need sha256sum
    if [ -n "$sum_file" ]; then
        [ -z "$sum" ] || fail 2 "give --sha256 or --sha256-file, not both"
        [ -r "$sum_file" ] || fail 1 "cannot read $sum_file"
        sum=$(awk -v name="${archive##*/}" '
            { file = $2; sub(/^\*/, "", file); sub(/.*\//, "", file) }
            file == name { print $1; found = 1; exit }
            NF == 1 { only = $1 }
            END { if (!found && NR == 1) print only }' "$sum_file")
        [ -n "$sum" ] || fail 1 "$sum_file has no sum for ${archive##*/}"
    fi
    [ -n "$sum" ] || fail 2 "an archive needs its checksum: --sha256 HEX or --sha256-file FILE"
    sum=$(printf '%s' "$sum" | tr 'A-F' 'a-f')
    case $sum in *[!0-9a-f]*) fail 2 "a SHA-256 has only the digits 0-9 and a-f" ;; esac
    [ ${#sum} -eq 64 ] || fail 2 "a SHA-256 has 64 digits, this one has ${#sum}"
    actual=$(sha256sum <"$archive") || fail 1 "cannot read $archive"
    actual=${actual%% *}
    [ "$actual" = "$sum" ] || fail 3 "checksum differs: expected $sum, $archive has $actual"
}

unpack() {
    case $archive in
        *.tar.gz | *.tgz) need tar; tar -xzf "$archive" -C "$work" ;;
        *.zip) need unzip; unzip -q "$archive" -d "$work" ;;
        *) fail 2 "$archive is neither .tar.gz, .tgz nor .zip" ;;
    esac || fail 1 "cannot unpack $archive"
}

if [ "$source" = debian ]; then
    rules=/usr/share/modsecurity-crs/rules
    [ -d "$rules" ] || fail 1 "the package is not installed: apt-get install modsecurity-crs"
    for setup in /etc/modsecurity/crs/crs-setup.conf /usr/share/modsecurity-crs/crs-setup.conf.example; do
        [ -r "$setup" ] && break
    done
else
    [ -r "$archive" ] || fail 1 "cannot read $archive"
    check_sum
    unpack
    rules=''
    for found in "$work"/rules "$work"/*/rules; do
        [ -d "$found" ] && rules=$found && break
    done
    [ -n "$rules" ] || fail 1 "$archive holds no folder rules/: is it a release of the OWASP CRS?"
    setup=${rules%/rules}/crs-setup.conf.example
fi
[ -r "$setup" ] || fail 1 "no setup file found beside $rules"
ls "$rules"/REQUEST-901-*.conf >/dev/null 2>&1 || fail 1 "$rules has no REQUEST-901 file: not the OWASP CRS"

# Copied beside the target first and renamed last, so a failure leaves the old rules in place.
mkdir -p "$dir" || fail 1 "cannot make $dir"
new=$(mktemp -d "$dir/.new.XXXXXX") || fail 1 "cannot write to $dir"
trap 'rm -rf "$work" "$new"' EXIT
cp -RL "$rules" "$new/rules" && cp "$setup" "$new/crs-setup.conf" || fail 1 "cannot copy the rules to $dir"
chmod 755 "$new/rules"
rm -rf "$dir/rules" "$dir/crs-setup.conf"
mv "$new/rules" "$new/crs-setup.conf" "$dir/" || fail 1 "cannot move the rules into $dir"

set -- "$dir"/rules/*.conf
printf 'Installed %s rule files and crs-setup.conf in %s\n' $# "$dir"
