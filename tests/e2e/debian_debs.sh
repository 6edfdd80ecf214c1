#!/bin/bash
# Packages of Debian itself are published, and the index says of each what
# apt-ftparchive says.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# Of two files Packages: those stanzas, and fields, that differ.
compare_stanzas() {
    python3 - "$@" <<'EOF'
import sys
NOT_OURS = {'md5sum', 'sha1', 'sha512'}     # which nobody needs any more


def stanzas(file):
    found = {}
    for text in open(file, encoding='utf-8').read().strip().split('\n\n'):
        fields, name = {}, ''
        for line in text.split('\n'):
            if line[0] not in ' \t':
                name, line = line.split(':', 1)
                name, line = name.lower(), line.strip()
            fields[name] = fields.get(name, '') + line + '\n'
        file_name = fields.pop('filename').rsplit('/', 1)[1]
        for name in NOT_OURS:
            fields.pop(name, None)
        found[fields['package']] = fields
        assert file_name, text
    return found


ours, theirs = stanzas(sys.argv[1]), stanzas(sys.argv[2])
wrong = sorted(ours.keys() ^ theirs.keys())
for package in ours.keys() & theirs.keys():
    a, b = ours[package], theirs[package]
    wrong += ['%s: %s: %r, %r' % (package.strip(), name, a.get(name), b.get(name))
              for name in a.keys() | b.keys() if a.get(name) != b.get(name)]
print('\n'.join('# ' + text for text in wrong))
sys.exit(bool(wrong) or len(ours) < 40)
EOF
}

test_packages_of_debian() {
    local debs=$BUILD/debs arch
    arch=$(dpkg --print-architecture)
    [ "$(find "$debs" -name '*.deb' 2>/dev/null | wc -l)" -ge 40 ] || {
        echo '# skip no packages: tests/deps.sh debs build/debs'
        exit 0
    }
    mkdir from
    cp "$debs"/*.deb from/
    sed -i -e 's/^packages = .*/packages = */' \
        -e "s/^builds = .*/builds = $arch-deb/" conf
    expect 65 'field Essential: .*allow-essential' \
        dist build -r nightly-20260101 --from from
    sed -i '/^packages/a allow-essential = *' conf
    must dist build -r nightly-20260101 --from from
    mkdir tree
    dist export | tar -xf - -C tree || die "export"
    apt-ftparchive packages from >theirs 2>err || die "$(cat err)"
    compare_stanzas tree/apt/dists/nightly/main/binary-"$arch"/Packages theirs ||
        die "they differ"
    must dist verify
    # and the client takes the index
    web_start "$T/tree"
    apt_root r "$WEB" nightly
    sed -i "s/amd64,arm64/$arch/" r/etc/apt/sources.list
    must apt r update
    must apt r check
}

run_tests
