/*
 * lib/sys/fs.h: never through a link, never above the directory.
 */
#include "tests/unit/support.h"

#include <sys/resource.h>
#include <time.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/fs.h"

/* out/secret is not beneath d; d has links to it. */
static int
enter(void **state)
{
	if (scratch_enter(state) < 0)
		return -1;
	run("mkdir -p d/sub/deep out && echo secret >out/secret && "
	    "printf hello >d/file && printf deep >d/sub/deep/file && "
	    "ln -s file d/link && ln -s ../out d/dirlink && "
	    "ln -s ../out/secret d/outlink && ln -s nowhere d/dangling && "
	    "mkfifo d/fifo && : >d/empty");
	return 0;
}

static int
open_d(void)
{
	struct err e = ERR_INIT;
	int dir = fs_open_dir("d", &e);

	assert_true(dir >= 0);
	return dir;
}

/* ------------------------------------------------------------ directories */

static void
opens_and_makes_directories(void **state)
{
	struct err e = ERR_INIT;
	struct stat st;
	int fd;

	(void)state;
	fd = fs_open_dir("d", &e);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	assert_fails(fs_open_dir("no", &e), e, ERR_MISSING, "'no'");
	assert_fails(fs_open_dir("d/file", &e), e, ERR_MISSING, "d/file");
	/* a path of the operator's: links allowed */
	fd = fs_open_dir("d/dirlink", &e);
	assert_true(fd >= 0);
	close(fd);
	fd = fs_make_dir("m/n//o/", 0700, &e);
	assert_ok(fd, e);
	close(fd);
	assert_int_equal(stat("m/n/o", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	fd = fs_make_dir("m", 0700, &e);
	assert_ok(fd, e);
	close(fd);
	assert_fails(fs_make_dir("d/file/x", 0700, &e), e, ERR_MISSING,
	    "d/file");
	assert_fails(fs_make_dir("d/file", 0700, &e), e, ERR_MISSING, "");
}

/* ----------------------------------------------------------------- opening */

static void
opens_files_beneath(void **state)
{
	struct err e = ERR_INIT;
	int dir = open_d(), fd;
	char text[8];

	(void)state;
	fd = fs_open(dir, "sub/deep/file", &e);
	assert_ok(fd, e);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text)), 4);
	close(fd);
	fd = fs_open_subdir(dir, "sub/deep", &e);
	assert_ok(fd, e);
	close(fd);
	assert_fails(fs_open(dir, "no", &e), e, ERR_MISSING, "'no'");
	assert_fails(fs_open(dir, "sub/no", &e), e, ERR_MISSING, "");
	assert_fails(fs_open(dir, "", &e), e, ERR_MISSING, "");
	assert_fails(fs_open_subdir(dir, "no", &e), e, ERR_MISSING, "");
	close(dir);
}

static void
refuses_links(void **state)
{
	static const char *const paths[] = {
		"link", "outlink", "dangling", "dirlink", "dirlink/secret",
		"sub/../link",
	};
	struct err e;
	int dir = open_d();
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(paths); i++) {
		e = (struct err)ERR_INIT;
		assert_int_equal(fs_open(dir, paths[i], &e), -1);
		assert_true(e.kind == ERR_REFUSED || e.kind == ERR_DATA);
		e = (struct err)ERR_INIT;
		assert_int_equal(fs_open_subdir(dir, paths[i], &e), -1);
		assert_true(e.kind == ERR_REFUSED || e.kind == ERR_DATA ||
		    e.kind == ERR_MISSING);
	}
	close(dir);
}

static void
refuses_to_climb(void **state)
{
	struct err e;
	int dir = open_d();
	char *path = mem_format("%s/d/file", scratch_path);

	(void)state;
	assert_fails(fs_open(dir, "../out/secret", &e), e, ERR_REFUSED, "");
	assert_fails(fs_open(dir, "sub/../../out/secret", &e), e, ERR_REFUSED,
	    "");
	assert_fails(fs_open(dir, "/etc/passwd", &e), e, ERR_REFUSED, "");
	assert_fails(fs_open(dir, path, &e), e, ERR_REFUSED, "");
	assert_fails(fs_open_subdir(dir, "..", &e), e, ERR_REFUSED, "");
	assert_fails(fs_open_subdir(dir, "/", &e), e, ERR_REFUSED, "");
	free(path);
	close(dir);
}

static void
opens_only_regular_files(void **state)
{
	struct err e;
	int dir = open_d(), dev = open("/dev", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_fails(fs_open(dir, "sub", &e), e, ERR_DATA,
	    "'sub' is not a regular file");
	assert_fails(fs_open(dir, "fifo", &e), e, ERR_DATA,
	    "'fifo' is not a regular file");
	assert_fails(fs_open(dev, "null", &e), e, ERR_DATA, "not a regular");
	assert_fails(fs_open_subdir(dir, "file", &e), e, ERR_MISSING, "");
	close(dev);
	close(dir);
}

/* ---------------------------------------------------- making what is above */

static void
makes_parents(void **state)
{
	struct err e = ERR_INIT;
	int dir = open_d();
	char path[PATH_LIMIT + 2];

	(void)state;
	assert_ok(fs_make_parents(dir, "name", &e), e);
	assert_ok(fs_make_parents(dir, "p/q/r/name", &e), e);
	assert_true(there_is("d/p/q/r"));
	assert_false(there_is("d/p/q/r/name"));
	assert_ok(fs_make_parents(dir, "p/q/r/name", &e), e);
	assert_ok(fs_make_parents(dir, "p/q/s/name", &e), e);
	assert_fails(fs_make_parents(dir, "file/x/y", &e), e, ERR_MISSING,
	    "file");
	memset(path, 'a', sizeof(path));
	path[PATH_LIMIT + 1] = '\0';
	assert_fails(fs_make_parents(dir, path, &e), e, ERR_DATA, "too long");
	close(dir);
}

/* "always relative to a directory, never above it" */
static void
makes_no_parents_above(void **state)
{
	struct err e = ERR_INIT;
	int dir = open_d();

	(void)state;
	assert_int_equal(fs_make_parents(dir, "../above/x", &e), -1);
	assert_false(there_is("above"));
	close(dir);
}

/* "never through a symbolic link" */
static void
makes_no_parents_through_a_link(void **state)
{
	struct err e = ERR_INIT;
	int dir = open_d(), status;

	(void)state;
	status = fs_make_parents(dir, "dirlink/made/x", &e);
	assert_false(there_is("out/made"));
	assert_int_equal(status, -1);
	close(dir);
}

static void
exists(void **state)
{
	char far[4100];
	struct err e = ERR_INIT;
	int dir = open_d();

	(void)state;
	memset(far, 'x', sizeof(far) - 1);
	far[sizeof(far) - 1] = '\0';
	assert_int_equal(fs_exists(dir, far, &e), -1);
	assert_int_equal(e.kind, ERR_IO);
	assert_int_equal(fs_exists(dir, "file", &e), 1);
	assert_int_equal(fs_exists(dir, "sub", &e), 1);
	assert_int_equal(fs_exists(dir, "dangling", &e), 1);
	assert_int_equal(fs_exists(dir, "no", &e), 0);
	assert_int_equal(fs_exists(dir, "", &e), 0);
	close(dir);
}

/* ------------------------------------------------------ reading and writing */

static void
reads_up_to_a_limit(void **state)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	int dir = open_d();

	(void)state;
	assert_ok(fs_read(dir, "file", 5, &b, &e), e);
	assert_string_equal(buf_cstr(&b), "hello");
	buf_clear(&b);
	assert_fails(fs_read(dir, "file", 4, &b, &e), e, ERR_DATA,
	    "'file' is larger than 4 bytes");
	buf_clear(&b);
	assert_ok(fs_read(dir, "empty", 0, &b, &e), e);
	assert_int_equal(b.n, 0);
	assert_fails(fs_read(dir, "no", 9, &b, &e), e, ERR_MISSING, "'no'");
	assert_fails(fs_read(dir, "link", 9, &b, &e), e, ERR_DATA, "link");
	run("head -c 300000 /dev/zero >d/zeros");
	assert_ok(fs_read(dir, "zeros", 300000, &b, &e), e);
	assert_int_equal(b.n, 300000);
	buf_clear(&b);
	assert_fails(fs_read(dir, "zeros", 299999, &b, &e), e, ERR_DATA,
	    "larger");
	run("rm d/zeros");
	buf_clear(&b);
	close(dir);
}

static void
writes_and_replaces(void **state)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	struct stat st;
	int dir = open_d();
	size_t before = count_names("d");

	(void)state;
	assert_ok(fs_write(dir, "new", "one", 3, 0600, &e), e);
	assert_ok(fs_write(dir, "new", "", 0, 0644, &e), e);
	assert_ok(fs_write(dir, "new", "three", 5, 0644, &e), e);
	get("d/new", &b);
	assert_string_equal(buf_cstr(&b), "three");
	assert_int_equal(stat("d/new", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(count_names("d"), before + 1);
	/* a link is replaced, not written through */
	run("ln -sf ../out/secret d/new");
	assert_ok(fs_write(dir, "new", "mine", 4, 0644, &e), e);
	assert_int_equal(lstat("d/new", &st), 0);
	assert_true(S_ISREG(st.st_mode));
	buf_clear(&b);
	get("out/secret", &b);
	assert_string_equal(buf_cstr(&b), "secret\n");
	run("rm d/new");
	assert_fails(fs_write(dir, "sub", "x", 1, 0644, &e), e, ERR_IO, "sub");
	assert_int_equal(count_names("d"), before);
	/* the temporary name is no way out either */
	run("ln -s ../out/secret d/.new.new");
	assert_fails(fs_write(dir, "new", "evil", 4, 0644, &e), e, ERR_REFUSED,
	    "");
	run("rm -f d/.new.new; grep -q secret out/secret");
	buf_clear(&b);
	close(dir);
}

static void
writes_the_longest_name(void **state)
{
	struct err e = ERR_INIT;
	int dir = open_d();
	size_t before = count_names("d"), n;
	char name[256];

	(void)state;
	for (n = 245; n <= 255; n++) {
		memset(name, 'n', n);
		name[n] = '\0';
		assert_ok(fs_write(dir, name, "x", 1, 0644, &e), e);
		assert_ok(fs_swap_link(dir, name, "file", &e), e);
		assert_ok(fs_remove_tree(dir, name, &e), e);
	}
	assert_int_equal(count_names("d"), before);
	close(dir);
}

/* ------------------------------------------------------------------- links */

static void
swaps_links(void **state)
{
	struct err e = ERR_INIT;
	char target[32];
	int dir = open_d();
	size_t before = count_names("d");

	(void)state;
	assert_ok(fs_swap_link(dir, "current", "one", &e), e);
	assert_int_equal(fs_read_link(dir, "current", target, sizeof(target),
	    &e), 1);
	assert_string_equal(target, "one");
	run("ln -s left-over d/.current.new");
	assert_ok(fs_swap_link(dir, "current", "two", &e), e);
	assert_int_equal(fs_read_link(dir, "current", target, sizeof(target),
	    &e), 1);
	assert_string_equal(target, "two");
	assert_int_equal(fs_read_link(dir, "current", target, 3,
	    &e), 1);
	assert_string_equal(target, "tw");
	assert_int_equal(count_names("d"), before + 1);
	assert_int_equal(fs_read_link(dir, "file", target, sizeof(target),
	    &e), 0);
	assert_int_equal(fs_read_link(dir, "no", target, sizeof(target),
	    &e), 0);
	assert_fails(fs_swap_link(dir, "sub", "x", &e), e, ERR_IO, "'sub'");
	assert_ok(fs_remove_tree(dir, "current", &e), e);
	assert_int_equal(count_names("d"), before);
	close(dir);
}

/* ------------------------------------------------------------------- trees */

static void
removes_trees_but_follows_no_link(void **state)
{
	struct err e = ERR_INIT;
	int dir = open_d();

	(void)state;
	run("mkdir -p d/t/a/b/c d/t/e && touch d/t/a/b/c/f d/t/.hidden && "
	    "ln -s ../../out d/t/a/link && ln -s nowhere d/t/dangling && "
	    "mkfifo d/t/fifo");
	assert_ok(fs_remove_tree(dir, "t", &e), e);
	assert_false(there_is("d/t"));
	assert_true(there_is("out/secret"));
	assert_ok(fs_remove_tree(dir, "t", &e), e);
	assert_ok(fs_swap_link(dir, "t", "../out", &e), e);
	assert_ok(fs_remove_tree(dir, "t", &e), e);
	assert_true(there_is("out/secret"));
	assert_fails(fs_remove_tree(dir, "file/x", &e), e, ERR_MISSING, "");
	close(dir);
}

/*
 * A sender could nest directories until the recursion ran out of descriptors
 * or stack, and the drop could then never be removed.
 */
#define DEPTH 3000

static void
nest(const char *name)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), next, i;

	for (i = 0; i < DEPTH; i++) {
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
		/* names that the levels moved up would like to have */
		if (i % 100 == 0) {
			close(openat(fd, "0", O_CREAT | O_WRONLY, 0644));
			assert_int_equal(mkdirat(fd, "1", 0755), 0);
			assert_int_equal(mkdirat(fd, "2", 0755), 0);
			close(openat(fd, "2/f", O_CREAT | O_WRONLY, 0644));
			assert_int_equal(symlinkat("/", fd, "3"), 0);
		}
	}
	close(fd);
}

static int
remove_with_little(void *arg)
{
	const struct rlimit few = {64, 64}, small = {256 << 10, 256 << 10};
	struct err e = ERR_INIT;

	setrlimit(RLIMIT_NOFILE, &few);
	setrlimit(RLIMIT_STACK, &small);
	if (fs_remove_tree(scratch, arg, &e) == 0)
		return 0;
	fprintf(stderr, "%s\n", e.text);
	return 1;
}

static void
removes_a_tree_of_any_depth(void **state)
{
	static char name[] = "nested";

	(void)state;
	run("rm -rf none-yet; mkdir other && touch other/stays");
	nest(name);
	assert_int_equal(in_child(remove_with_little, name), 0);
	assert_false(there_is("nested"));
	assert_true(there_is("other/stays"));
	run("test -z \"$(ls -A | grep removed)\" && rm -r other");
}

/* With one descriptor left, the directory opens and cannot be read. */
static int
remove_halfway(void *arg)
{
	struct err e = ERR_INIT;
	int next = dup(0);
	const struct rlimit one = {(rlim_t)next + 1, (rlim_t)next + 1};

	(void)arg;
	close(next);
	setrlimit(RLIMIT_NOFILE, &one);
	if (fs_remove_tree(scratch, "h/7", &e) == 0)
		return 1;
	return strstr(e.text, "remove 'h/7': read directory '") != NULL &&
	    strstr(e.text, "Too many open files") != NULL ? 0 : 2;
}

/*
 * deploy-repo, killed at the 21st unlinkat of a prune, left a generation that
 * had lost its manifest under the name of a generation.
 */
static void
half_a_tree_does_not_keep_its_name(void **state)
{
	struct err e = ERR_INIT;
	int dir;

	(void)state;
	run("mkdir -p h/7/sub h/.removed.8.1/a/b h/7removed && "
	    "touch h/7/f h/.removed.8.1/a/f h/.removed h/removed.x");
	assert_int_equal(in_child(remove_halfway, NULL), 0);
	assert_false(there_is("h/7"));
	assert_true(there_is("h/.removed.7.0/f"));
	/* the name may be used again, and removed again, meanwhile */
	run("mkdir h/7 && touch h/7/g");
	assert_ok(fs_remove_tree(scratch, "h/7", &e), e);
	assert_false(there_is("h/7"));
	assert_false(there_is("h/.removed.7.1"));
	assert_true(there_is("h/.removed.7.0/f"));
	dir = fs_open_dir("h", &e);
	assert_ok(fs_remove_leftovers(dir, "7", &e), e);
	assert_false(there_is("h/.removed.7.0"));
	assert_true(there_is("h/.removed.8.1"));
	assert_ok(fs_remove_leftovers(dir, "", &e), e);
	run("test \"$(ls -A h | tr '\\n' ' ')\" = "
	    "'.removed 7removed removed.x '");
	assert_ok(fs_remove_leftovers(dir, "", &e), e);
	assert_fails(fs_remove_leftovers(-1, "", &e), e, ERR_IO,
	    "read directory");
	close(dir);
	run("rm -r h");
}

static void
removes_a_directory_of_the_longest_name(void **state)
{
	struct err e = ERR_INIT;
	char name[256], inner[258];

	(void)state;
	memset(name, 'n', 255);
	name[255] = '\0';
	snprintf(inner, sizeof(inner), "%s/x", name);
	assert_int_equal(mkdir(name, 0755), 0);
	assert_int_equal(mkdirat(scratch, inner, 0755), 0);
	assert_ok(fs_remove_tree(scratch, name, &e), e);
	assert_false(there_is(name));
	assert_int_equal(mkdir(name, 0755), 0);
	assert_ok(fs_remove_tree(scratch, name, &e), e);
	assert_false(there_is(name));
}

static int
note_path(const char *path, const struct stat *st, void *arg, struct err *e)
{
	struct strv *seen = arg;

	(void)e;
	assert_false(S_ISDIR(st->st_mode));
	strv_add(seen, path);
	return 0;
}

static int
stop_at_once(const char *path, const struct stat *st, void *arg,
    struct err *e)
{
	(void)st;
	++*(int *)arg;
	return err_set(e, ERR_DATA, "stop at %s", path);
}

static void
walks_in_order(void **state)
{
	static const char *const wanted[] = {
		"dangling", "dirlink", "empty", "fifo", "file", "link",
		"outlink", "sub/deep/file",
	};
	struct strv seen = STRV_INIT;
	struct err e = ERR_INIT;
	int dir = open_d(), calls = 0;
	size_t i;

	(void)state;
	run("rm -rf d/p");
	assert_ok(fs_walk(dir, note_path, &seen, &e), e);
	assert_int_equal(seen.n, COUNT(wanted));
	for (i = 0; i < seen.n; i++)
		assert_string_equal(seen.v[i], wanted[i]);
	/* the descriptor keeps its place */
	assert_ok(fs_walk(dir, note_path, &seen, &e), e);
	assert_int_equal(seen.n, 2 * COUNT(wanted));
	assert_fails(fs_walk(dir, stop_at_once, &calls, &e), e, ERR_DATA,
	    "stop at dangling");
	assert_int_equal(calls, 1);
	strv_clear(&seen);
	close(dir);
}

static void
walks_of_little_and_of_depth(void **state)
{
	struct strv seen = STRV_INIT;
	struct buf path = BUF_INIT;
	struct err e = ERR_INIT;
	int dir, i;

	(void)state;
	run("mkdir none deep");
	dir = fs_open_dir("none", &e);
	assert_ok(fs_walk(dir, note_path, &seen, &e), e);
	assert_int_equal(seen.n, 0);
	close(dir);
	/* as deep as is allowed, and one more */
	buf_str(&path, "deep");
	for (i = 1; i < 32; i++) {
		buf_str(&path, "/d");
		assert_int_equal(mkdir(path.p, 0755), 0);
	}
	dir = fs_open_dir("deep", &e);
	assert_ok(fs_walk(dir, note_path, &seen, &e), e);
	buf_str(&path, "/d");
	assert_int_equal(mkdir(path.p, 0755), 0);
	assert_fails(fs_walk(dir, note_path, &seen, &e), e, ERR_DATA,
	    "nested too deep");
	close(dir);
	assert_ok(fs_remove_tree(scratch, "deep", &e), e);
	buf_clear(&path);
	strv_clear(&seen);
}

static void
lists_sorted(void **state)
{
	struct strv names = STRV_INIT;
	struct err e = ERR_INIT;
	int dir, fd;

	(void)state;
	run("mkdir l && touch l/b l/a l/.c l/B");
	dir = fs_open_dir("l", &e);
	assert_ok(fs_list(dir, &names, &e), e);
	assert_int_equal(names.n, 4);
	assert_string_equal(names.v[0], ".c");
	assert_string_equal(names.v[1], "B");
	assert_string_equal(names.v[3], "b");
	fd = open("d/file", O_RDONLY);
	assert_fails(fs_list(fd, &names, &e), e, ERR_MISSING,
	    "/d/file': Not a directory");
	assert_fails(fs_list(-1, &names, &e), e, ERR_IO,
	    "read directory '?'");
	close(fd);
	close(dir);
	strv_clear(&names);
}

/* ------------------------------------------------------------------- locks */

/* Takes the lock, says so, and holds it until it is killed. */
static pid_t
start_holder(void)
{
	int ends[2];
	struct err e = ERR_INIT;
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		default_signals();
		if (fs_lock(scratch, "lock", &e) < 0 ||
		    write(ends[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return pid;
}

static void
lock_is_taken_and_given_back(void **state)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	int fd = fs_lock(scratch, "lock", &e);

	(void)state;
	assert_ok(fd, e);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	get("lock", &b);
	assert_int_equal(atol(b.p), getpid());
	close(fd);
	put_str("lock", "123456789 and a long text that was left there");
	fd = fs_lock(scratch, "lock", &e);
	assert_ok(fd, e);
	buf_clear(&b);
	get("lock", &b);
	assert_int_equal(atol(b.p), getpid());
	assert_null(strstr(b.p, "text"));
	close(fd);
	buf_clear(&b);
}

static void
lock_through_a_link_is_refused(void **state)
{
	struct err e;

	(void)state;
	put_str("victim", "text");
	run("ln -s victim badlock");
	assert_fails(fs_lock(scratch, "badlock", &e), e, ERR_REFUSED,
	    "open lock 'badlock'");
	assert_fails(fs_lock(-1, "lock", &e), e, ERR_IO, "open lock");
}

/* The lock of a process that dies is free; its id in the file is stale. */
static void
lock_of_a_killed_process_is_free(void **state)
{
	pid_t holder = start_holder(), killer;
	struct err e = ERR_INIT;
	int fd, saved = mute_stderr("stderr");
	static const struct timespec moment = {.tv_nsec = 200000000};

	(void)state;
	killer = fork();
	assert_true(killer >= 0);
	if (killer == 0) {
		default_signals();
		nanosleep(&moment, NULL);
		kill(holder, SIGKILL);
		_exit(0);
	}
	fd = fs_lock(scratch, "lock", &e);
	unmute_stderr(saved);
	assert_int_equal(waitpid(killer, NULL, 0), killer);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
	assert_ok(fd, e);
	close(fd);
}

/* The one test that waits: FS_LOCK_SECONDS. */
static void
lock_that_is_held_says_by_whom(void **state)
{
	pid_t holder = start_holder();
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	int fd, saved = mute_stderr("stderr");
	char wanted[64];

	(void)state;
	fd = fs_lock(scratch, "lock", &e);
	unmute_stderr(saved);
	kill(holder, SIGKILL);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
	assert_int_equal(fd, -1);
	snprintf(wanted, sizeof(wanted), "process %ld holds the lock 'lock'",
	    (long)holder);
	check_err(&e, ERR_AGAIN, wanted, __FILE__, __LINE__);
	get("stderr", &b);
	assert_non_null(strstr(b.p, "waiting for process"));
	buf_clear(&b);
}

static int
wait_after_a_signal(void *arg)
{
	struct err e = ERR_INIT;

	(void)arg;
	cleanup_start();
	raise(SIGHUP);
	if (fs_lock(scratch, "lock", &e) >= 0)
		return 1;
	return e.kind == ERR_SIGNAL ? 0 : 2;
}

static void
a_signal_ends_the_waiting(void **state)
{
	struct err e = ERR_INIT;
	int fd = fs_lock(scratch, "lock", &e);
	int saved = mute_stderr("stderr");
	int status = in_child(wait_after_a_signal, NULL);

	(void)state;
	unmute_stderr(saved);
	assert_int_equal(status, 0);
	close(fd);
}

/* Status 0 where the signal ends the wait for a pipe's writer. */
static int
read_for_ever(void *arg)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	cleanup_start();
	raise(SIGTERM);
	if (fs_read_path(arg, 100, &b, &e) == 0)
		return 1;
	return e.kind == ERR_SIGNAL ? 0 : 2;
}

static void
a_signal_ends_the_reading_of_a_pipe(void **state)
{
	(void)state;
	assert_int_equal(in_child(read_for_ever, (void *)"d/fifo"), 0);
}

/* -------------------------------------------------------------- the others */

static void
home(void **state)
{
	char *path;

	(void)state;
	setenv("HOME", "/home/me", 1);
	path = fs_expand_home("~/x");
	assert_string_equal(path, "/home/me/x");
	free(path);
	path = fs_expand_home("~");
	assert_string_equal(path, "/home/me");
	free(path);
	path = fs_expand_home("~you/x");
	assert_string_equal(path, "~you/x");
	free(path);
	path = fs_expand_home("a/~");
	assert_string_equal(path, "a/~");
	free(path);
	path = fs_expand_home("");
	assert_string_equal(path, "");
	free(path);
	unsetenv("HOME");
	path = fs_expand_home("~/x");
	assert_int_equal(path[0], '/');
	free(path);
}

static void
maps(void **state)
{
	struct fs_map map;
	struct err e = ERR_INIT;
	int fd = open("d/file", O_RDONLY);

	(void)state;
	assert_ok(fs_map_fd(fd, "file", &map, &e), e);
	assert_int_equal(map.n, 5);
	assert_memory_equal(map.p, "hello", 5);
	close(fd);
	assert_memory_equal(map.p, "hello", 5);
	fs_unmap(&map);
	assert_int_equal(map.n, 0);
	fs_unmap(&map);
	fd = open("d/empty", O_RDONLY);
	assert_ok(fs_map_fd(fd, "empty", &map, &e), e);
	assert_int_equal(map.n, 0);
	assert_string_equal(map.p, "");
	fs_unmap(&map);
	close(fd);
	fd = open("d", O_RDONLY);
	assert_fails(fs_map_fd(fd, "d", &map, &e), e, ERR_IO, "map 'd'");
	fs_unmap(&map);
	close(fd);
	assert_fails(fs_map_fd(-1, "none", &map, &e), e, ERR_IO, "stat");
}

static void
syncs(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_ok(fs_sync_dir(scratch, &e), e);
	assert_fails(fs_sync_dir(-1, &e), e, ERR_IO, "sync");
	assert_fails(fs_sync_all(-1, &e), e, ERR_IO, "sync");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_and_makes_directories),
		cmocka_unit_test(opens_files_beneath),
		cmocka_unit_test(refuses_links),
		cmocka_unit_test(refuses_to_climb),
		cmocka_unit_test(opens_only_regular_files),
		cmocka_unit_test(makes_parents),
		cmocka_unit_test(makes_no_parents_above),
		cmocka_unit_test(makes_no_parents_through_a_link),
		cmocka_unit_test(exists),
		cmocka_unit_test(reads_up_to_a_limit),
		cmocka_unit_test(writes_and_replaces),
		cmocka_unit_test(writes_the_longest_name),
		cmocka_unit_test(swaps_links),
		cmocka_unit_test(removes_trees_but_follows_no_link),
		cmocka_unit_test(removes_a_tree_of_any_depth),
		cmocka_unit_test(half_a_tree_does_not_keep_its_name),
		cmocka_unit_test(removes_a_directory_of_the_longest_name),
		cmocka_unit_test(walks_in_order),
		cmocka_unit_test(walks_of_little_and_of_depth),
		cmocka_unit_test(lists_sorted),
		cmocka_unit_test(lock_is_taken_and_given_back),
		cmocka_unit_test(lock_through_a_link_is_refused),
		cmocka_unit_test(lock_of_a_killed_process_is_free),
		cmocka_unit_test(lock_that_is_held_says_by_whom),
		cmocka_unit_test(a_signal_ends_the_waiting),
		cmocka_unit_test(a_signal_ends_the_reading_of_a_pipe),
		cmocka_unit_test(home),
		cmocka_unit_test(maps),
		cmocka_unit_test(syncs),
	};

	return cmocka_run_group_tests(tests, enter, scratch_leave);
}
