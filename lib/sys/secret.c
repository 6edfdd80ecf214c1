#include "lib/sys/secret.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/sys/io.h"

extern char **environ;

const char *const secret_places[] = {"/run/user", "/dev/shm", NULL};

static const char *const token_names[] = {SECRET_VARIABLES};
static struct secret tokens[COUNT(token_names)];	/* until taken */
static struct {
	char *start;
	char *end;
} variables;	/* one after the other, as the kernel has put them */

static bool
is_needed(const char *variable)
{
	static const char *const exact[] = {
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE",
		"TZ", "TERM", "NO_COLOR", "COLUMNS", "TMPDIR",
		"XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
		"GNUPGHOME", "SSH_AUTH_SOCK",
		"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG",
		"DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
		"DOCKER_API_VERSION", "CONTAINER_HOST", "CONTAINER_SSHKEY",
		"CONTAINER_CONNECTION", "CONTAINERS_CONF",
		"CONTAINERS_CONF_OVERRIDE", "CONTAINERS_STORAGE_CONF",
		"SOURCE_DATE_EPOCH", "VEILID_CICD_CONF", "CI_COMMIT_TAG",
		"CI_PIPELINE_CREATED_AT", "CI_PROJECT_DIR", "GITLAB_CI",
		"IS_NIGHTLY",
		"http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY",
		"all_proxy", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE",
		"SSL_CERT_DIR",
	};
	static const char *const prefixes[] = {
		"LC_", "ASAN_", "UBSAN_", "LSAN_", "TSAN_", "LLVM_PROFILE_",
	};
	size_t i, n = strcspn(variable, "=");

	for (i = 0; i < COUNT(exact); i++)
		if (strlen(exact[i]) == n &&
		    strncmp(variable, exact[i], n) == 0)
			return true;
	for (i = 0; i < COUNT(prefixes); i++)
		if (path_starts_with(variable, prefixes[i]))
			return true;
	return false;
}

static int
map_pages(struct secret *s, struct err *e)
{
	size_t size = SECRET_LIMIT + 1;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return err_sys(e, "map memory for a secret");
	/* Locking may be beyond the user's limit: then swap must be safe. */
	(void)mlock(p, size);
	madvise(p, size, MADV_DONTDUMP);
	madvise(p, size, MADV_WIPEONFORK);
	s->p = p;
	s->n = 0;
	s->mapped = size;
	return 0;
}

int
secret_join(struct secret *s, const char *text, const struct secret *tail,
    struct err *e)
{
	size_t n = strlen(text), more = tail != NULL ? tail->n : 0;

	secret_clear(s);
	if (n >= SECRET_LIMIT || more >= SECRET_LIMIT - n)
		return err_set(e, ERR_DATA, "a secret of more than %zu bytes",
		    SECRET_LIMIT - 1);
	if (map_pages(s, e) < 0)
		return -1;
	memcpy(s->p, text, n);
	if (more > 0)
		memcpy(s->p + n, tail->p, more);
	s->n = n + more;
	return 0;
}

/* -------------------------------------------------- the environment */

/*
 * Wipes the value where the kernel has put it, which /proc/PID/environ shows
 * whatever becomes of environ. Of two values of one name getenv(3) sees the
 * first. One that is too long is no token, and is not there any more.
 */
static void
keep_token(char *variable)
{
	struct err e = ERR_INIT;
	char *value;
	size_t i, n;

	for (i = 0; i < COUNT(token_names); i++) {
		n = strlen(token_names[i]);
		if (strncmp(variable, token_names[i], n) != 0 ||
		    variable[n] != '=')
			continue;
		value = variable + n + 1;
		if (tokens[i].n == 0)
			(void)secret_join(&tokens[i], value, NULL, &e);
		explicit_bzero(value, strlen(value));
	}
}

bool
secret_take_variable(struct secret *s, const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(token_names); i++)
		if (strcmp(token_names[i], name) == 0)
			break;
	if (i == COUNT(token_names) || tokens[i].n == 0)
		return false;
	secret_clear(s);
	*s = tokens[i];
	tokens[i] = (struct secret)SECRET_INIT;
	return true;
}

/*
 * A closed one would be the next file that is opened, a key or a lock, and
 * have results written into it. The wrong way round, so that its use is the
 * error that it is: "Bad file descriptor".
 */
static void
open_standard_descriptors(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null",
		    fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(EX_OSERR);
}

static void
note_variables(void)
{
	char **v;

	variables.start = variables.end = environ[0];
	for (v = environ; *v != NULL; v++)
		if (*v == variables.end)
			variables.end += strlen(*v) + 1;
}

void
secret_forget_environment(void)
{
	static char *none[] = {NULL};

	environ = none;
	if (variables.start != NULL)
		explicit_bzero(variables.start,
		    (size_t)(variables.end - variables.start));
}

void
secret_harden_process(void)
{
	struct rlimit none = {0, 0};
	char **from, **to;

	open_standard_descriptors();
	note_variables();
	for (from = to = environ; *from != NULL; from++) {
		keep_token(*from);
		if (is_needed(*from))
			*to++ = *from;
	}
	*to = NULL;
	setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	/* The leak checker attaches to its own process and would fail. */
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

static int
check_private(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat '%s'", path);
	if (S_ISDIR(st.st_mode))
		return err_set(e, ERR_MISSING, "'%s' is a directory", path);
	if (!S_ISREG(st.st_mode))
		return 0;	/* a pipe has no other readers */
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return err_set(e, ERR_REFUSED,
		    "secret file '%s' belongs to another user", path);
	if (st.st_mode & 077)
		return err_set(e, ERR_REFUSED, "secret file '%s' is open to "
		    "others (mode %03o): chmod 600 '%s'", path,
		    (unsigned)(st.st_mode & 0777), path);
	return 0;
}

int
secret_read_file(struct secret *s, const char *path, struct err *e)
{
	ssize_t n = -1;
	/* a fifo that has no writer yet: io_read waits, and hears signals */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	secret_clear(s);
	if (fd < 0)
		return err_sys(e, "open '%s'", path);
	if (check_private(fd, path, e) < 0 || map_pages(s, e) < 0)
		goto out;
	while ((n = io_read(fd, s->p + s->n, SECRET_LIMIT - s->n, path,
	    e)) > 0) {
		s->n += (size_t)n;
		if (s->n < SECRET_LIMIT)
			continue;
		n = err_set(e, ERR_DATA, "'%s' is larger than %zu bytes",
		    path, SECRET_LIMIT - 1);
		break;
	}
out:
	if (n < 0)
		secret_clear(s);
	close(fd);
	return (int)n;
}

void
secret_trim_newline(struct secret *s)
{
	if (s->n > 0 && s->p[s->n - 1] == '\n')
		s->p[--s->n] = '\0';
	if (s->n > 0 && s->p[s->n - 1] == '\r')
		s->p[--s->n] = '\0';
}

void
secret_clear(struct secret *s)
{
	if (s->p != NULL) {
		explicit_bzero(s->p, s->mapped);
		munmap(s->p, s->mapped);
	}
	*s = (struct secret)SECRET_INIT;
}
