#include "distribute-packages/rpm/rpm_container.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "distribute-packages/rpm/rpm_index.h"
#include "lib/base/path.h"
#include "lib/frame/installed.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/clock.h"
#include "lib/sys/io.h"
#include "lib/sys/log.h"
#include "lib/sys/run.h"
#include "lib/sys/secret.h"

#define WORK "container"	/* beneath the state directory */
#define SUITE "signed"		/* what is in WORK is read as a tree */
#define PACKAGES "rpm/" SUITE "/all"
#define DONE "finished"		/* the container's last act */
#define TICK 100		/* how often a signal is looked for, ms */
#define LOOK_SECONDS 60		/* for the engine to find the image */
#define RUN_MINUTES 40		/* the container itself gives up after 30 */
#define STOP_MS 12000		/* engines kill a container after 10 s */
#define INPUT_SIZE (1 << 20)	/* holds key and passphrase: no write waits */
#define START 'x'

struct rpm_container {
	const struct conf *conf;
	const char *image;
	char *packages_path;	/* absolute */
	int state;
	int work;
	int packages;
	pid_t pid;		/* waits, then is the engine; 0: none */
	int input;		/* a pipe to its standard input */
	struct suite result;	/* what createrepo_c wrote */
};

/* ------------------------------------------------------------- preparing */

static int
find_image(const struct rpm_container *c, const char *command, struct err *e)
{
	const char *argv[] = {command, "image", "inspect", c->image, NULL};
	struct err why = ERR_INIT;
	struct buf ignored = BUF_INIT;
	int status = run_wait(argv, LOOK_SECONDS, &ignored, &why);
	char *recipe;

	buf_clear(&ignored);
	if (status == 0)
		return 0;
	if (why.kind == ERR_SIGNAL || why.kind == ERR_AGAIN ||
	    why.kind == ERR_RESOURCE) {
		*e = why;
		return err_wrap(e, "look for the image '%s'", c->image);
	}
	recipe = installed_path("rpm-builder");
	err_set(e, ERR_MISSING, "[rpm] builder = container: %s; if the image "
	    "is missing: %s build -t %s %s", why.text, command, c->image,
	    recipe);
	free(recipe);
	return -1;
}

static int
make_work(struct rpm_container *c, const char *state, struct err *e)
{
	char *whole;

	c->state = fs_make_dir(state, 0755, e);
	if (c->state < 0 || fs_remove_tree(c->state, WORK, e) < 0)
		return -1;
	whole = realpath(state, NULL);
	if (whole == NULL)
		return err_sys(e, "find '%s'", state);
	c->packages_path = mem_format("%s/" WORK "/" PACKAGES, whole);
	free(whole);
	c->packages = fs_make_dir(c->packages_path, 0700, e);
	if (c->packages >= 0)
		c->work = fs_open_subdir(c->state, WORK, e);
	return c->packages < 0 || c->work < 0 ? -1 : 0;
}

/* The engine's command line, and the container's own two words at its end. */
static void
run_engine(const struct rpm_container *c, const char *command,
    const char *fingerprint, const char *date)
{
	char *user = mem_format("--user=%u:%u", (unsigned)geteuid(),
	    (unsigned)getegid());
	char *mount = mem_format("type=bind,source=%s,target=/rpms",
	    c->packages_path);
	const char *argv[] = {command, "run", "--rm", "--interactive",
	    "--pull=never", "--network=none", "--read-only",
	    "--cap-drop=ALL", "--security-opt=no-new-privileges",
	    "--tmpfs=/keys:rw,mode=1777,size=16m",
	    "--tmpfs=/tmp:rw,mode=1777", "--tmpfs=/var/tmp:rw,mode=1777",
	    "--mount", mount, user, c->image, fingerprint, date, NULL, NULL};
	size_t n;

	/* podman without root: our files belong to us in there, too */
	if (strstr(path_base(command), "podman") && geteuid() != 0) {
		for (n = COUNT(argv) - 1; n > 2; n--)
			argv[n] = argv[n - 1];
		argv[2] = "--userns=keep-id";
	}
	execvp(command, (char **)argv);
	fprintf(stderr, "start '%s': %s\n", command, strerror(errno));
}

/* Becomes the engine as soon as it is told to. */
static void
wait_and_run(const struct rpm_container *c, const char *command)
{
	char line[128], *date;
	size_t n = 0;
	char byte = 0;

	/* START, fingerprint, blank, date, newline; the rest is not for us */
	while (n < sizeof(line) - 1 && read(STDIN_FILENO, &byte, 1) == 1 &&
	    byte != '\n')
		line[n++] = byte;
	line[n] = '\0';
	date = strchr(line, ' ');
	if (byte != '\n' || line[0] != START || date == NULL)
		_exit(0);	/* it was not needed */
	*date++ = '\0';
	run_engine(c, command, line + 1, date);
	_exit(127);
}

static int
start_waiting(struct rpm_container *c, const char *command, struct err *e)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	(void)fcntl(ends[1], F_SETPIPE_SZ, INPUT_SIZE);
	c->pid = fork();
	if (c->pid == 0) {
		setpgid(0, 0);	/* what the engine starts is ended with it */
		dup2(ends[0], STDIN_FILENO);
		dup2(STDERR_FILENO, STDOUT_FILENO);
		/* the engine then stops the container, even after kill -9 */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		/* the other end above all: its closing is the end of waiting */
		syscall(SYS_close_range, 3U, ~0U, 0U);
		wait_and_run(c, command);
	}
	close(ends[0]);
	c->input = ends[1];
	if (c->pid < 0)
		return err_sys(e, "start a process");
	setpgid(c->pid, c->pid);	/* whoever comes first */
	return 0;
}

struct rpm_container *
rpm_container_open(const struct conf *conf, const char *state, struct err *e)
{
	const char *command = conf_get(conf, "rpm", "container-command");
	struct rpm_container *c = mem_zero(1, sizeof(*c));

	*c = (struct rpm_container){.conf = conf, .state = -1, .work = -1,
	    .packages = -1, .input = -1,
	    .image = conf_get(conf, "rpm", "container-image")};
	if (find_image(c, command, e) == 0 && make_work(c, state, e) == 0 &&
	    start_waiting(c, command, e) == 0)
		return c;
	rpm_container_close(c);
	return NULL;
}

int
rpm_container_packages(const struct rpm_container *c)
{
	return c->packages;
}

/* --------------------------------------------------------------- running */

/* After a signal, or too long a time, the engine is told to stop. */
static int
wait_for_end(struct rpm_container *c, int *status, struct err *e)
{
	int64_t deadline = clock_ms() + RUN_MINUTES * INT64_C(60000);
	int stop = 0;

	while (!run_reap(c->pid, TICK, status)) {
		stop = cleanup_check(e);
		if (stop == 0 && clock_ms() >= deadline)
			stop = err_set(e, ERR_UNAVAILABLE, "the container is "
			    "still running after %d minutes", RUN_MINUTES);
		if (stop < 0) {
			run_end(c->pid, STOP_MS);
			break;
		}
	}
	c->pid = 0;
	return stop < 0 ? -1 : cleanup_check(e);
}

static int
write_secret(int fd, const char *path, bool is_line, struct err *e)
{
	struct secret s = SECRET_INIT;
	int status = secret_read_file(&s, path, e);

	if (status == 0) {
		if (is_line)
			secret_trim_newline(&s);
		status = io_write(fd, s.p, s.n, "the container", e);
	}
	secret_clear(&s);
	return status;
}

static int
write_input(struct rpm_container *c, const char *key_file, int64_t date,
    const char *fingerprint, struct err *e)
{
	char *passphrase = conf_path(c->conf, "signing", "passphrase-file");
	char *line = mem_format("%c%s %lld\n", START, fingerprint,
	    (long long)date);
	int status = io_write(c->input, line, strlen(line),
	    "the container", e);

	if (status == 0 && passphrase != NULL)
		status = write_secret(c->input, passphrase, true, e);
	if (status == 0)
		status = io_write(c->input, "\n", 1, "the container", e);
	if (status == 0)
		status = write_secret(c->input, key_file, false, e);
	free(passphrase);
	free(line);
	return status;
}

/* createrepo_c's lists are read as those of a generation are. */
static int
read_result(struct rpm_container *c, struct err *e)
{
	static const uint8_t any[HASH_SIZE];
	struct manifest files = MANIFEST_INIT;
	struct tree tree = {.manifest = &files, .dir = c->work};
	struct strv names = STRV_INIT;
	char *path;
	size_t i;
	int dir = fs_open_subdir(c->packages, "repodata", e), status = -1;

	if (dir >= 0) {
		status = fs_list(dir, &names, e);
		close(dir);
	}
	for (i = 0; i < names.n; i++) {
		path = mem_format(PACKAGES "/repodata/%s", names.v[i]);
		if (path_is_safe(path))
			manifest_add(&files, path, any);
		free(path);
	}
	manifest_sort(&files);
	c->result.name = SUITE;
	if (status == 0)
		status = rpm_index_read(&c->result, &tree, e);
	strv_clear(&names);
	manifest_clear(&files);
	return status < 0 ? err_wrap(e, "the container's repodata") : 0;
}

int
rpm_container_run(struct rpm_container *c, int64_t date,
    const char *key_file, const char *fingerprint, struct err *e)
{
	struct err input = ERR_INIT;
	int status, fed, is_done;

	log_notice("signing in a container of %s", c->image);
	fed = write_input(c, key_file, date, fingerprint, &input);
	close(c->input);
	c->input = -1;
	if (wait_for_end(c, &status, e) < 0)
		return -1;
	is_done = fs_exists(c->packages, DONE, e);
	if (is_done < 0)
		return -1;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || is_done == 0)
		err_set(e, ERR_UNAVAILABLE, "[rpm] builder = container: the "
		    "container failed (%s %d): its messages are above",
		    WIFEXITED(status) ? "status" : "signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) :
		    WTERMSIG(status));
	else if (fed < 0)
		*e = input;
	return e->kind != ERR_NONE ? -1 : read_result(c, e);
}

/* --------------------------------------------------------------- storing */

static const struct pkg *
find_result(const struct rpm_container *c, const char *file)
{
	size_t i;

	for (i = 0; i < c->result.n; i++)
		if (strcmp(path_base(c->result.v[i].path), file) == 0)
			return &c->result.v[i];
	return NULL;
}

/* The file whole, once more through the checks. */
static int
copy_signed(int fd, const struct store *store, struct signed_rpm *s,
    struct err *e)
{
	struct out *copy = out_file(store->objects, NULL, 0644, OUT_LATER,
	    &s->digest);
	struct rpm r = RPM_INIT;
	int status = rpm_read(fd, s->file, &r, e);

	if (status == 0 && !hash_equal(r.identity, s->content))
		status = err_set(e, ERR_DATA, "is not the package that went "
		    "into the container");
	if (status == 0) {
		rpm_write_headers(&r, copy);
		status = rpm_read_payload(fd, s->file, copy, &r, e);
	}
	rpm_clear(&r);
	if (status == 0)
		return out_commit(copy, e);
	out_discard(copy);
	return -1;
}

int
rpm_container_store(const struct rpm_container *c, const struct store *store,
    struct signed_rpm *s, struct err *e)
{
	const struct pkg *p = find_result(c, s->file);
	int list, fd = fs_open(c->packages, s->file, e), status;

	if (fd < 0)
		return -1;
	status = copy_signed(fd, store, s, e);
	close(fd);
	if (status == 0 && (p == NULL ||
	    !hash_equal(p->sha256, s->digest.sha256)))
		status = err_set(e, ERR_DATA, "createrepo_c describes a "
		    "different file");
	for (list = 0; list < RPM_LISTS && status == 0; list++) {
		buf_add(&s->entries[list], p->entries[list].p,
		    p->entries[list].n);
		buf_str(&s->entries[list], "\n");
	}
	return status < 0 ? err_wrap(e, "%s", s->file) : 0;
}

void
rpm_container_close(struct rpm_container *c)
{
	struct err ignored = ERR_INIT;

	if (c == NULL)
		return;
	if (c->input >= 0)
		close(c->input);
	if (c->pid > 0)
		run_end(c->pid, STOP_MS);
	suite_clear(&c->result);
	if (c->packages >= 0)
		close(c->packages);
	if (c->work >= 0)
		close(c->work);
	if (c->state >= 0) {
		(void)fs_remove_tree(c->state, WORK, &ignored);
		close(c->state);
	}
	free(c->packages_path);
	free(c);
}
