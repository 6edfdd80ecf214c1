#!/bin/bash
# Every verb that reads bytes from outside does so in the sandbox. A library
# that is loaded before the others tries to write a file at home in the places
# where such bytes are looked at: where a manifest, an index or a package is
# hashed, where a tar comes on standard input, and where libarchive is about to
# read the next member. A parser that was taken over would do the same. In a reader of packages, which has no stderr,
# it ends with the error as its status; tests/e2e/reader.sh has more of that.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

make_library() {
    cat >escape.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[4096];
static pid_t tool;

/* Before main, which forgets the environment but for what it needs. */
__attribute__((constructor)) static void
remember(void)
{
	snprintf(path, sizeof(path), "%s", getenv("ESCAPE"));
	tool = getpid();
}

static void
escape(const char *where)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	if (getpid() != tool)
		_exit(fd < 0 ? errno : 0);
	dprintf(STDERR_FILENO, "in %s: %s\n", where,
	    fd < 0 ? strerror(errno) : "has written");
	if (fd >= 0)
		close(fd);
}

int
EVP_DigestInit_ex2(void *ctx, const void *type, const void *params)
{
	static int (*next)(void *, const void *, const void *);

	if (next == NULL) {
		next = (int (*)(void *, const void *, const void *))dlsym(
		    RTLD_NEXT, "EVP_DigestInit_ex2");
		escape("hash");
	}
	return next(ctx, type, params);
}

ssize_t
read(int fd, void *data, size_t n)
{
	static ssize_t (*next)(int, void *, size_t);
	static int is_met;

	if (next == NULL)
		next = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT,
		    "read");
	if (fd == STDIN_FILENO && getpid() == tool && !is_met) {
		is_met = 1;
		escape("stdin");
	}
	return next(fd, data, n);
}

int
archive_read_next_header(void *a, void *entry)
{
	static int (*next)(void *, void *);

	if (next == NULL) {
		next = (int (*)(void *, void *))dlsym(RTLD_NEXT,
		    "archive_read_next_header");
		escape("archive");
	}
	return next(a, entry);
}
C
    ${CC:-cc} -shared -fPIC -o escape.so escape.c -ldl || die 'no library'
}

# confined PLACES COMMAND...: it came by these places (hash, stdin, reader),
# where it could not write. Whatever its end.
confined() {
    local places=$1 place said
    shift
    rm -f "$HOME/escaped"
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0 \
        ESCAPE=$HOME/escaped LD_PRELOAD=$T/escape.so \
        "$@" >"$T/out" 2>"$T/err"
    for place in $places; do
        case $place in
        reader) said='the reader of .* ended with status 13$' ;; # EACCES
        *) said="^in $place: Permission denied$" ;;
        esac
        grep -q "$said" "$T/err" || {
            sed 's/^/# /' "$T/err"
            die "$place: not in the sandbox, or not met: $*"
        }
    done
    [ ! -e "$HOME/escaped" ] || die "it has written: $*"
}

prepare() {
    dist -v list -o "repository.state=$T" 2>&1 | grep -q 'no Landlock' && {
        echo '# skip this kernel has no Landlock'
        exit 0
    }
    make_library
    make_release p 0.3.4
    must dist build -r v0.3.4 --from p
    must export_and_deploy
}

scp_to() {
    "$BUILD/bin/scp-to-orchestrator" -c "$T/conf" \
        -o orchestrator.host=127.0.0.1 -o orchestrator.port=1 "$@"
}

# The library does what it is for: out of the sandbox it writes.
test_the_library_writes_where_it_may() {
    prepare
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0 \
        ESCAPE=$T/state/escaped LD_PRELOAD=$T/escape.so \
        "$BUILD/bin/distribute-packages" -c "$T/conf" refresh >out 2>err
    grep -q '^in hash: has written' err || die "$(cat err)"
    [ -e state/escaped ] || die 'nothing was written'
}

test_what_only_reads() {
    prepare
    confined hash dist list
    [ "$(wc -l <out)" -gt 0 ] || die 'list printed nothing'
    confined hash dist verify
    grep -q 'good: generation 1' err || die "$(cat err)"
    confined hash dist verify srv
    grep -q 'good: generation 1' err || die "$(cat err)"
    confined hash dist export
    [ "$(tar -tf out | wc -l)" -gt 10 ] || die 'export wrote nothing'
    confined hash deploy list
    [ "$(wc -l <out)" -gt 0 ] || die 'list printed nothing'
    confined hash deploy status
    grep -q '^live	1$' out || die "$(cat out)"
    confined hash deploy verify
    grep -q 'good: generation 1' err || die "$(cat err)"
}

test_packages_that_are_sent() {
    prepare
    confined 'hash reader' scp_to -r v0.3.4 p/*_amd64.deb
}

test_what_writes() {
    prepare
    make_release q 0.3.5
    confined 'hash reader' dist build -r v0.3.5 --from q
    must dist build -r v0.3.5 --from q
    confined hash dist export
    cp out 2.tar
    confined 'hash stdin' deploy - <2.tar
    [ "$(readlink srv/.releases/current)" = 2 ] || die "$(cat err)"
    confined hash deploy rollback
    confined hash dist send -o repo-server.host=127.0.0.1 \
        -o repo-server.port=1
    confined hash dist refresh
    confined hash dist revert 1
    confined hash dist remove veilid-cli=0.3.4
}

run_tests
