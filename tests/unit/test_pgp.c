/*
 * lib/pgp/pgp.h and lib/pgp/keyring.h, with keys that gpg made, and gpg as
 * judge.
 */
#include "tests/unit/support.h"

#include <sched.h>
#include <sys/mount.h>
#include <time.h>

#include "lib/base/mem.h"
#include "lib/pgp/keyring.h"
#include "lib/pgp/pgp.h"

#define PLACE "/dev/shm"
#define PREFIX "veilid-cicd-keys."
#define GPG "gpg --batch -q --no-tty --pinentry-mode loopback "
#define PATIENCE 600	/* tenths of a second until something has ended */

static struct strv before = STRV_INIT;	/* key rings of others */

/* ---------------------------------------------------------- what is left */

/* Appends the paths of the key rings that this test has made. */
static void
list_homes(struct strv *homes)
{
	DIR *d = opendir(PLACE);
	struct dirent *entry;

	while (d != NULL && (entry = readdir(d)) != NULL)
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 &&
		    !strv_has(&before, entry->d_name))
			strv_take(homes, mem_format(PLACE "/%s",
			    entry->d_name));
	if (d != NULL)
		closedir(d);
}

/* True if a gpg-agent runs for this home. */
static bool
has_agent(const char *home)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	char path[300], line[512];
	bool found = false;
	ssize_t n, i;
	int fd;

	while ((entry = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%s/cmdline",
		    entry->d_name);
		fd = entry->d_name[0] >= '0' && entry->d_name[0] <= '9' ?
		    open(path, O_RDONLY) : -1;
		if (fd < 0)
			continue;
		n = read(fd, line, sizeof(line) - 1);
		close(fd);
		for (i = 0; i < n; i++)
			if (line[i] == '\0')
				line[i] = ' ';
		line[n > 0 ? n : 0] = '\0';
		found |= strstr(line, "gpg-agent") && strstr(line, home);
	}
	closedir(d);
	return found;
}

/* Directories and agents go away: at once, or when a keeper is done. */
static void
wait_until_gone(struct strv *homes)
{
	static const struct timespec tenth = {.tv_nsec = 100000000};
	size_t i;
	int tries;

	for (i = 0; i < homes->n; i++) {
		for (tries = 0; there_is(homes->v[i]) ||
		    has_agent(homes->v[i]); tries++) {
			if (tries == PATIENCE)
				fail_msg("%s is left", homes->v[i]);
			nanosleep(&tenth, NULL);
		}
	}
}

/* After every test: nothing is left, without any waiting. */
static int
nothing_is_left(void **state)
{
	struct strv homes = STRV_INIT;
	size_t n;

	(void)state;
	list_homes(&homes);
	n = homes.n;
	if (n > 0)
		print_error("%s is left\n", homes.v[0]);
	strv_clear(&homes);
	return n == 0 ? 0 : -1;
}

/* ------------------------------------------------------------------ keys */

static void
make_keys(void)
{
	run(GPG "--passphrase '' --quick-gen-key 'rsa <rsa@x>' rsa3072 sign 0");
	run(GPG "--passphrase '' --quick-gen-key 'ed <ed@x>' ed25519 sign 0");
	run(GPG "--passphrase '' --quick-gen-key 'weak <weak@x>' rsa2048 sign "
	    "0");
	run(GPG "--passphrase '' --faked-system-time 20200101T000000 "
	    "--quick-gen-key 'old <old@x>' ed25519 sign 30d");
	run(GPG "--passphrase '' --quick-gen-key 'soon <soon@x>' ed25519 sign "
	    "10d");
	run(GPG "--passphrase 'open sesame' --quick-gen-key 'pass <pass@x>' "
	    "ed25519 sign 0");
	run(GPG "--passphrase '' --cert-digest-algo SHA1 --quick-gen-key "
	    "'sha1 <sha1@x>' ed25519 sign 0");
	/* a primary key that signs, with a newer subkey that signs too */
	run(GPG "--passphrase '' --quick-gen-key 'sub <sub@x>' rsa3072 "
	    "sign,cert 0");
	run(GPG "--passphrase '' --quick-add-key $(" GPG "--with-colons "
	    "-k sub@x | sed -n 's/^fpr:*\\(.*\\):$/\\1/p' | head -n 1) rsa3072 "
	    "sign 0");
	/* a primary key that only certifies, and a subkey that signs */
	run(GPG "--passphrase '' --quick-gen-key 'cert <cert@x>' ed25519 "
	    "cert 0");
	run(GPG "--passphrase '' --quick-add-key $(" GPG "--with-colons "
	    "-k cert@x | sed -n 's/^fpr:*\\(.*\\):$/\\1/p' | head -n 1) "
	    "ed25519 sign 0");
	run(GPG "--passphrase '' --quick-gen-key 'gone <gone@x>' ed25519 "
	    "sign 0");
	run("sed 's/^:---/---/' gnupg/openpgp-revocs.d/$(" GPG "--with-colons "
	    "-k gone@x | sed -n 's/^fpr:*\\(.*\\):$/\\1/p').rev >gone.rev && "
	    GPG "--import gone.rev");
}

static void
export_keys(void)
{
	run("umask 077; for k in rsa ed weak old soon sha1 sub cert gone; do "
	    GPG "-a --passphrase '' --export-secret-keys $k@x >$k.key || "
	    "exit 1; " GPG "-a --export $k@x >$k.asc || exit 1; done");
	run("umask 077; " GPG "-a --passphrase 'open sesame' "
	    "--export-secret-keys pass@x >pass.key && " GPG
	    "-a --export pass@x >pass.asc");
	run("umask 077; " GPG "-a --passphrase '' --export-secret-subkeys "
	    "sub@x >subkeys.key");
	run(GPG "--export rsa@x >rsa.gpg; " GPG "--export sha1@x >sha1.gpg");
	run("umask 077; cat rsa.key ed.key >two.key; "
	    GPG "--passphrase '' --export-secret-keys rsa@x ed@x >both.key");
	run("umask 077; echo 'open sesame' >right; echo wrong >wrong; "
	    "cp rsa.key open.key && chmod 640 open.key; : >empty.key; "
	    "echo hello >junk.key; cp rsa.asc public.key");
}

static int
enter(void **state)
{
	DIR *d;
	struct dirent *entry;
	char *home;

	if (scratch_enter(state) < 0)
		return -1;
	/* a place of our own, where that is allowed: strict, and no trouble
	 * with others that run at the same time */
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", PLACE, "tmpfs", 0, "mode=1777") < 0)
		print_message("%s is shared with others\n", PLACE);
	unsetenv("XDG_RUNTIME_DIR");
	d = opendir(PLACE);
	while (d != NULL && (entry = readdir(d)) != NULL)
		strv_add(&before, entry->d_name);
	if (d != NULL)
		closedir(d);
	if (mkdir("gnupg", 0700) < 0)
		return -1;
	home = mem_format("%s/gnupg", scratch_path);
	setenv("GNUPGHOME", home, 1);
	free(home);
	make_keys();
	export_keys();
	return 0;
}

static int
leave(void **state)
{
	run("gpgconf --kill gpg-agent");
	strv_clear(&before);
	return scratch_leave(state);
}

/* ------------------------------------------------------------- verifying */

static struct pgp *
trust(const char *file)
{
	struct buf keys = BUF_INIT;
	struct err e = ERR_INIT;
	struct pgp *p;

	get(file, &keys);
	p = pgp_open(keys.p, keys.n, file, &e);
	if (p == NULL)
		fail_msg("%s", e.text);
	buf_clear(&keys);
	return p;
}

/* Is the file a detached signature over the text? */
static int
verify(struct pgp *p, const char *text, const char *file, struct err *e)
{
	struct buf signature = BUF_INIT;
	int status;

	get(file, &signature);
	status = pgp_verify(p, text, strlen(text), signature.p, signature.n,
	    "x.asc", e);
	buf_clear(&signature);
	return status;
}

static int
verify_clear(struct pgp *p, const char *file, struct buf *plain,
    struct err *e)
{
	struct buf message = BUF_INIT;
	int status;

	get(file, &message);
	status = pgp_verify_clear(p, message.p, message.n, plain, "x", e);
	buf_clear(&message);
	return status;
}

static void
good_signatures_are_accepted(void **state)
{
	struct buf plain = BUF_INIT;
	struct err e = ERR_INIT;
	struct pgp *p;

	(void)state;
	put_str("text", "hello\n");
	run(GPG "-u rsa@x -a -b -o - text >x.asc");
	run(GPG "-u rsa@x -b -o - text >x.sig");
	run(GPG "-u rsa@x --clear-sign -o - text >x.clear");
	p = trust("rsa.asc");
	assert_ok(verify(p, "hello\n", "x.asc", &e), e);
	assert_ok(verify(p, "hello\n", "x.sig", &e), e);
	assert_ok(verify_clear(p, "x.clear", &plain, &e), e);
	assert_string_equal(buf_cstr(&plain), "hello\n");
	buf_clear(&plain);
	pgp_close(p);
	p = trust("rsa.gpg");	/* not armoured */
	assert_ok(verify(p, "hello\n", "x.asc", &e), e);
	pgp_close(p);
	pgp_close(NULL);
}

static void
changed_texts_are_refused(void **state)
{
	struct buf plain = BUF_INIT;
	struct pgp *p = trust("rsa.asc");
	struct err e;

	(void)state;
	assert_fails(verify(p, "hellO\n", "x.asc", &e), e, ERR_REFUSED,
	    "bad signature: the text was changed");
	assert_fails(verify(p, "", "x.asc", &e), e, ERR_REFUSED, "x.asc");
	assert_fails(verify(p, "hello\n\n", "x.asc", &e), e, ERR_REFUSED, "");
	run("sed s/hello/hullo/ x.clear >y.clear");
	assert_fails(verify_clear(p, "y.clear", &plain, &e), e, ERR_REFUSED,
	    "bad signature");
	assert_int_equal(plain.n, 0);
	pgp_close(p);
}

static void
other_keys_are_refused(void **state)
{
	struct buf plain = BUF_INIT;
	struct pgp *p = trust("ed.asc");
	struct err e;

	(void)state;
	assert_fails(verify(p, "hello\n", "x.asc", &e), e, ERR_REFUSED,
	    "not trusted (key ");
	assert_fails(verify_clear(p, "x.clear", &plain, &e), e, ERR_REFUSED,
	    "not trusted");
	assert_int_equal(plain.n, 0);
	pgp_close(p);
}

/* One good one is enough: the key is being changed for the next one. */
static void
one_trusted_signature_of_two_is_enough(void **state)
{
	struct err e = ERR_INIT;
	struct pgp *p;

	(void)state;
	put_str("text", "hello\n");
	run(GPG "-u rsa@x -u ed@x -a -b -o - text >two.asc");
	p = trust("ed.asc");
	assert_ok(verify(p, "hello\n", "two.asc", &e), e);
	assert_fails(verify(p, "changed\n", "two.asc", &e), e, ERR_REFUSED,
	    "");
	pgp_close(p);
	p = trust("rsa.asc");
	assert_ok(verify(p, "hello\n", "two.asc", &e), e);
	pgp_close(p);
	p = trust("weak.asc");
	assert_fails(verify(p, "hello\n", "two.asc", &e), e, ERR_REFUSED,
	    "not trusted");
	pgp_close(p);
}

static void
expired_and_revoked_keys_are_refused(void **state)
{
	struct err e;
	struct pgp *p;

	(void)state;
	put_str("text", "hello\n");
	run(GPG "--faked-system-time 20200102T000000 -u old@x -a -b -o - text "
	    ">old.sig");
	p = trust("old.asc");
	assert_fails(verify(p, "hello\n", "old.sig", &e), e, ERR_REFUSED,
	    "expired");
	pgp_close(p);
	/* made before it was revoked, by the secret key in a home of its own */
	run("mkdir -m 700 h && export GNUPGHOME=$PWD/h && "
	    GPG "--passphrase '' --quick-gen-key 'r <r@x>' ed25519 sign 0 && "
	    GPG "-u r@x -a -b -o gone.sig text && "
	    "sed 's/^:---/---/' h/openpgp-revocs.d/*.rev >r.rev && "
	    GPG "--import r.rev && " GPG "-a --export r@x >r.asc && "
	    "gpgconf --kill gpg-agent && rm -rf h");
	p = trust("r.asc");
	assert_fails(verify(p, "hello\n", "gone.sig", &e), e, ERR_REFUSED,
	    "revoked");
	pgp_close(p);
}

static void
weak_digests_are_refused(void **state)
{
	struct pgp *p = trust("rsa.asc");
	struct err e;

	(void)state;
	put_str("text", "hello\n");
	run(GPG "-u rsa@x --digest-algo SHA1 -a -b -o - text >sha1.sig");
	assert_fails(verify(p, "hello\n", "sha1.sig", &e), e, ERR_REFUSED, "");
	pgp_close(p);
}

static void
what_is_no_signature_is_refused(void **state)
{
	static const char *const texts[] = {
		"\n", "hello\n", "-----BEGIN PGP SIGNATURE-----\n",
		("-----BEGIN PGP SIGNATURE-----\n\nAAAA\n"
		    "-----END PGP SIGNATURE-----\n"),
		"\x88\x00", "\xff\xff\xff",
	};
	struct pgp *p = trust("rsa.asc");
	struct buf plain = BUF_INIT;
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++) {
		assert_int_equal(pgp_verify(p, "hello\n", 6, texts[i],
		    strlen(texts[i]), "x", &e), -1);
		assert_true(e.kind == ERR_REFUSED || e.kind == ERR_DATA);
		assert_int_equal(pgp_verify_clear(p, texts[i],
		    strlen(texts[i]), &plain, "x", &e), -1);
		assert_int_equal(plain.n, 0);
	}
	assert_int_equal(pgp_verify(p, "hello\n", 6, "", 0, "x", &e), -1);
	assert_int_equal(pgp_verify_clear(p, "", 0, &plain, "x", &e), -1);
	pgp_close(p);
}

/*
 * A message that carries its own text is not a signature over ours: it would
 * vouch for whatever stands beside it.
 */
static void
a_signed_message_is_no_detached_signature(void **state)
{
	struct pgp *p = trust("rsa.asc");
	struct err e;

	(void)state;
	put_str("text", "hello\n");
	run(GPG "-u rsa@x -a --sign -o - text >x.msg");
	assert_fails(verify(p, "evil\n", "x.msg", &e), e, e.kind, "");
	assert_fails(verify(p, "evil\n", "x.clear", &e), e, e.kind, "");
	assert_fails(verify(p, "", "x.msg", &e), e, e.kind, "");
	assert_fails(verify(p, "", "x.clear", &e), e, e.kind, "");
	/* a signature, then a message */
	run("cat x.asc x.msg >x.mix; cat x.msg x.asc >y.mix");
	assert_fails(verify(p, "evil\n", "x.mix", &e), e, e.kind, "");
	assert_fails(verify(p, "evil\n", "y.mix", &e), e, e.kind, "");
	pgp_close(p);
}

/* What stands around the signed text is not signed. */
static void
only_the_signed_text_of_a_message_comes_out(void **state)
{
	static const char *const commands[] = {
		"(echo evil; cat x.clear) >y.clear",
		"(cat x.clear; echo evil) >y.clear",
		"(cat x.clear x.clear) >y.clear",
		("printf 'evil\\n' >evil; " GPG "-u ed@x --clear-sign -o - "
		    "evil >z.clear; cat x.clear z.clear >y.clear"),
		"cat z.clear x.clear >y.clear",
		("printf 'evil\\n' >evil; " GPG "-z 0 --store -o - evil "
		    ">z.msg; cat x.clear z.msg >y.clear"),
	};
	struct buf plain = BUF_INIT;
	struct pgp *p = trust("rsa.asc");
	struct err e = ERR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(commands); i++) {
		run(commands[i]);
		if (verify_clear(p, "y.clear", &plain, &e) == 0)
			assert_string_equal(buf_cstr(&plain), "hello\n");
		else
			assert_int_equal(plain.n, 0);
		buf_clear(&plain);
	}
	pgp_close(p);
}

static int
verify_with_no_signature(void *arg)
{
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	struct pgp *p = arg;

	get("x.clear", &text);
	return pgp_verify(p, text.p, text.n, NULL, 0, "x", &e) < 0 ? 0 : 1;
}

/*
 * The contents of an empty file are NULL and 0 in a struct buf. A text that
 * is a signed message must not be taken for its own detached signature.
 */
static void
no_signature_at_all_is_refused(void **state)
{
	struct pgp *p = trust("rsa.asc");
	int status = in_child(verify_with_no_signature, p);

	(void)state;
	pgp_close(p);
	assert_int_equal(status, 0);
}

#define EXPIRE GPG "--passphrase '' --quick-set-expire $(" GPG		\
    "--with-colons -k rsa@x | sed -n 's/^fpr:*\\(.*\\):$/\\1/p' | head -n 1) "

/* As a file of packets, or as gpg imports it: each is taken, or is no key. */
static void
every_form_of_a_key_file(void **state)
{
	static const struct {
		const char *make;	/* writes "keys" */
		bool is_key;
	} forms[] = {
		{"cp rsa.gpg keys", true},
		{"sed 's/$/\\r/' rsa.asc >keys", true},
		{"sed '/^=/d' rsa.asc >keys", true},
		{"sed '1a Comment: a key' rsa.asc >keys", true},
		{"(echo mine; cat rsa.asc) >keys", true},
		{"cat ed.asc rsa.asc >keys", true},
		{"cat weak.asc ed.asc rsa.asc >keys", true},
		{"gpg -q --dearmor <ed.asc >keys; cat rsa.gpg >>keys", true},
		/* the same key as it was, expired, and as it is now */
		{EXPIRE "seconds=1 && " GPG "-a --export rsa@x >was.asc; "
		    "sleep 2; " EXPIRE "0 && " GPG "-a --export rsa@x >is.asc; "
		    "cat was.asc is.asc >keys", true},
		{"cp was.asc keys", false},
		{"sed 's/^=..../=AAAA/' rsa.asc >keys", false},
		{"head -c -9 rsa.gpg >keys", false},
		{"sed '5d' rsa.asc >keys", false},
		{": >keys", false},
	};
	struct buf keys = BUF_INIT;
	struct err e;
	struct pgp *p;
	size_t i;
	int status;

	(void)state;
	put_str("text", "hello\n");
	run(GPG "--yes -u rsa@x -o s.asc -ab text");
	for (i = 0; i < COUNT(forms); i++) {
		run(forms[i].make);
		get("keys", &keys);
		e = (struct err)ERR_INIT;
		p = pgp_open(keys.p, keys.n, "keys", &e);
		status = p == NULL ? -1 : verify(p, "hello\n", "s.asc", &e);
		if ((status == 0) != forms[i].is_key)
			fail_msg("%s: %s", forms[i].make, e.text);
		pgp_close(p);
		nothing_is_left(NULL);
		buf_clear(&keys);
	}
}

static void
what_is_no_key_is_refused(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_null(pgp_open("hello", 5, "k.asc", &e));
	check_err(&e, ERR_DATA, "read the key in 'k.asc'", __FILE__, __LINE__);
	assert_null(pgp_open("", 0, "k.asc", &e));
	check_err(&e, ERR_DATA, "k.asc", __FILE__, __LINE__);
}

/* --------------------------------------------------------------- signing */

static struct signer *
open_key(const char *file, struct err *e)
{
	struct signer_options o = {.key_file = file, .min_days = 30};

	*e = (struct err)ERR_INIT;
	return signer_open(&o, e);
}

static void
check_key_refused(const struct signer_options *o, int kind, const char *part,
    int line)
{
	struct err e = ERR_INIT;
	struct signer *s = signer_open(o, &e);

	signer_close(s);
	if (s != NULL) {
		print_error("accepted, wanted '%s'\n", part);
		_fail(__FILE__, line);
	}
	check_err(&e, kind, part, __FILE__, line);
	nothing_is_left(NULL);
}

#define assert_key_refused(kind, part, ...) do {			\
	struct signer_options o_ = {.min_days = 30, __VA_ARGS__};	\
	check_key_refused(&o_, kind, part, __LINE__);			\
} while (0)

/* gpg says which key made the signature: the primary one must have. */
static void
check_signed_by(struct signer *s, const char *command)
{
	struct buf status = BUF_INIT;
	char *wanted = mem_format(" VALIDSIG %s ", signer_fingerprint(s));

	run(command);
	get("status", &status);
	if (strstr(buf_cstr(&status), wanted) == NULL)
		fail_msg("no%s in %s", wanted, buf_cstr(&status));
	buf_clear(&status);
	free(wanted);
}

static void
sign_and_check(const char *file)
{
	struct buf signature = BUF_INIT, message = BUF_INIT, plain = BUF_INIT;
	struct err e;
	struct signer *s = open_key(file, &e);
	struct pgp *p;

	if (s == NULL)
		fail_msg("%s: %s", file, e.text);
	put_str("text", "hello\n");
	assert_ok(signer_sign(s, SIGN_DETACHED, "hello\n", 6, false,
	    &signature, &e), e);
	put("s.asc", signature.p, signature.n);
	check_signed_by(s, "gpg --batch --status-fd 1 --verify s.asc text "
	    ">status 2>/dev/null");
	assert_ok(signer_sign(s, SIGN_CLEAR, "hello\n", 6, false, &message,
	    &e), e);
	put("s.clear", message.p, message.n);
	check_signed_by(s, "gpg --batch --status-fd 1 --verify s.clear "
	    ">status 2>/dev/null");
	p = pgp_open(signer_public(s)->p, signer_public(s)->n, "public", &e);
	assert_non_null(p);
	assert_ok(pgp_verify(p, "hello\n", 6, signature.p, signature.n, "s",
	    &e), e);
	assert_ok(pgp_verify_clear(p, message.p, message.n, &plain, "s", &e),
	    e);
	assert_string_equal(buf_cstr(&plain), "hello\n");
	assert_null(signer_public_next(s));
	pgp_close(p);
	signer_close(s);
	buf_clear(&signature);
	buf_clear(&message);
	buf_clear(&plain);
}

static void
good_keys_sign(void **state)
{
	(void)state;
	sign_and_check("rsa.key");
	sign_and_check("ed.key");
	signer_close(NULL);
}

/* gpg would take the newest subkey; rpm accepts the primary key only. */
static void
the_primary_key_signs_where_a_subkey_could(void **state)
{
	(void)state;
	sign_and_check("sub.key");
}

static void
the_public_key_is_public_and_alone(void **state)
{
	struct err e;
	struct signer *s = open_key("sub.key", &e);

	(void)state;
	assert_non_null(s);
	assert_non_null(strstr(buf_cstr(signer_public(s)),
	    "-----BEGIN PGP PUBLIC KEY BLOCK-----"));
	put("public", signer_public(s)->p, signer_public(s)->n);
	assert_int_equal(strlen(signer_fingerprint(s)), 40);
	run("gpg --batch -q --show-keys --with-colons public >status");
	run("grep -q '^pub:' status && ! grep -q '^sec:' status");
	signer_close(s);
}

static void
weak_and_ended_keys_are_refused(void **state)
{
	(void)state;
	assert_key_refused(ERR_REFUSED, "RSA of 2048 bits is too weak",
	    .key_file = "weak.key");
	assert_key_refused(ERR_REFUSED, "it expired on 2020-01-31",
	    .key_file = "old.key");
	assert_key_refused(ERR_REFUSED, "min-days is 30", .key_file =
	    "soon.key");
	assert_key_refused(ERR_REFUSED, "it was revoked",
	    .key_file = "gone.key");
	assert_key_refused(ERR_REFUSED, "its own signature is SHA-1",
	    .key_file = "sha1.key");
}

/* Ed25519 is good for apt, and not for rpm. */
static void
rpms_need_an_rsa_key(void **state)
{
	struct signer_options o = {.key_file = "ed.key"};
	struct err e = ERR_INIT;
	struct signer *s = signer_open(&o, &e);

	(void)state;
	assert_non_null(s);
	assert_int_equal(signer_check_rsa(s, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_non_null(strstr(e.text, "it is not RSA"));
	signer_close(s);
	o.key_file = "rsa.key";
	s = signer_open(&o, &e);
	assert_non_null(s);
	assert_int_equal(signer_check_rsa(s, &e), 0);
	signer_close(s);
}

static void
a_key_that_lasts_long_enough_is_taken(void **state)
{
	struct signer_options o = {.key_file = "soon.key", .min_days = 5};
	struct err e = ERR_INIT;
	struct signer *s = signer_open(&o, &e);

	(void)state;
	if (s == NULL)
		fail_msg("%s", e.text);
	signer_close(s);
	o = (struct signer_options){.key_file = "rsa.key", .min_days = 9999};
	s = signer_open(&o, &e);
	if (s == NULL)
		fail_msg("%s", e.text);
	signer_close(s);
}

static void
keys_without_the_primary_secret_are_refused(void **state)
{
	(void)state;
	assert_key_refused(ERR_REFUSED, "no secret primary key",
	    .key_file = "subkeys.key");
}

/* "nothing was signed yet when it refuses one": at the opening, not later. */
static void
primary_keys_that_may_not_sign_are_refused(void **state)
{
	(void)state;
	assert_key_refused(ERR_REFUSED, "may not be used to sign",
	    .key_file = "cert.key");
}

static void
files_that_are_no_secret_key_are_refused(void **state)
{
	(void)state;
	assert_key_refused(ERR_MISSING, "no secret key", .key_file =
	    "public.key");
	assert_key_refused(ERR_DATA, "junk.key", .key_file = "junk.key");
	assert_key_refused(ERR_DATA, "empty.key", .key_file = "empty.key");
	assert_key_refused(ERR_MISSING, "not-there.key",
	    .key_file = "not-there.key");
	assert_key_refused(ERR_REFUSED, "open to others (mode 640)",
	    .key_file = "open.key");
	assert_key_refused(ERR_DATA, "more than one secret key",
	    .key_file = "both.key");
	assert_key_refused(ERR_DATA, "more than one secret key",
	    .key_file = "two.key");
	assert_key_refused(ERR_CONFIG, "next-key-file needs", .key = "rsa@x",
	    .next_key_file = "ed.key");
}

/* Signs with pass.key and this passphrase file. */
static int
sign_with(const char *passphrase_file, struct err *e)
{
	struct signer_options o = {.key_file = "pass.key",
	    .passphrase_file = passphrase_file};
	struct buf signature = BUF_INIT;
	struct signer *s;
	int status;

	*e = (struct err)ERR_INIT;
	s = signer_open(&o, e);
	if (s == NULL)
		return -1;
	status = signer_sign(s, SIGN_DETACHED, "hello\n", 6, false, &signature,
	    e);
	assert_true((status == 0) == (signature.n > 0));
	signer_close(s);
	buf_clear(&signature);
	return status;
}

static void
passphrases(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_ok(sign_with("right", &e), e);
	assert_fails(sign_with("wrong", &e), e, ERR_REFUSED,
	    "wrong passphrase");
	assert_fails(sign_with(NULL, &e), e, ERR_REFUSED,
	    "set [signing] passphrase-file");
	assert_fails(sign_with("not-there", &e), e, ERR_MISSING, "not-there");
	run("cp right open-right && chmod 644 open-right");
	assert_fails(sign_with("open-right", &e), e, ERR_REFUSED,
	    "open to others");
	/* an agent that has the right one does not help a wrong one later */
	assert_fails(sign_with("wrong", &e), e, ERR_REFUSED,
	    "wrong passphrase");
}

static void
the_next_key_signs_too(void **state)
{
	struct signer_options o = {.key_file = "rsa.key",
	    .next_key_file = "ed.key"};
	struct buf both = BUF_INIT, first = BUF_INIT;
	struct err e = ERR_INIT;
	struct signer *s = signer_open(&o, &e);
	struct pgp *p;

	(void)state;
	if (s == NULL)
		fail_msg("%s", e.text);
	assert_non_null(signer_public_next(s));
	assert_ok(signer_sign(s, SIGN_DETACHED, "hello\n", 6, false, &both,
	    &e), e);
	assert_ok(signer_sign(s, SIGN_DETACHED, "hello\n", 6, true, &first,
	    &e), e);
	p = pgp_open(signer_public_next(s)->p, signer_public_next(s)->n, "n",
	    &e);
	assert_non_null(p);
	assert_ok(pgp_verify(p, "hello\n", 6, both.p, both.n, "x", &e), e);
	assert_fails(pgp_verify(p, "hello\n", 6, first.p, first.n, "x", &e), e,
	    ERR_REFUSED, "not trusted");
	pgp_close(p);
	signer_close(s);
	p = trust("rsa.asc");
	assert_ok(pgp_verify(p, "hello\n", 6, both.p, both.n, "x", &e), e);
	assert_ok(pgp_verify(p, "hello\n", 6, first.p, first.n, "x", &e), e);
	pgp_close(p);
	buf_clear(&both);
	buf_clear(&first);
}

static void
the_next_key_is_judged_too(void **state)
{
	(void)state;
	assert_key_refused(ERR_REFUSED, "next key 'old.key'",
	    .key_file = "rsa.key", .next_key_file = "old.key");
	assert_key_refused(ERR_MISSING, "next key 'public.key'",
	    .key_file = "rsa.key", .next_key_file = "public.key");
}

/* gpg makes one signature then: refused at once, or signed with it. */
static void
the_same_key_as_next_key_fails_at_once_or_never(void **state)
{
	struct signer_options o = {.key_file = "rsa.key",
	    .next_key_file = "rsa.key"};
	struct buf signature = BUF_INIT;
	struct err e = ERR_INIT;
	struct signer *s = signer_open(&o, &e);
	int status = 0;

	(void)state;
	if (s != NULL)
		status = signer_sign(s, SIGN_DETACHED, "hello\n", 6, false,
		    &signature, &e);
	signer_close(s);
	buf_clear(&signature);
	assert_ok(status, e);
}

static void
a_key_of_the_caller_s_own_ring_signs(void **state)
{
	struct signer_options o = {.key = "rsa@x"};
	struct buf signature = BUF_INIT;
	struct err e = ERR_INIT;
	struct signer *s = signer_open(&o, &e);

	(void)state;
	if (s == NULL)
		fail_msg("%s", e.text);
	assert_ok(signer_sign(s, SIGN_DETACHED, "hello\n", 6, false,
	    &signature, &e), e);
	signer_close(s);
	put("s.asc", signature.p, signature.n);
	put_str("text", "hello\n");
	run("gpg --batch -q --verify s.asc text 2>/dev/null");
	buf_clear(&signature);
	/* "x" stands in many names: which one is meant? */
	assert_key_refused(ERR_DATA, "more than one", .key = "@x");
	assert_key_refused(ERR_MISSING, "signing key 'nobody@x'",
	    .key = "nobody@x");
}

static void
empty_and_large_texts_are_signed(void **state)
{
	struct buf text = BUF_INIT, signature = BUF_INIT;
	struct err e;
	struct signer *s = open_key("ed.key", &e);
	struct pgp *p = trust("ed.asc");

	(void)state;
	assert_non_null(s);
	assert_ok(signer_sign(s, SIGN_DETACHED, "", 0, false, &signature, &e),
	    e);
	assert_ok(pgp_verify(p, "", 0, signature.p, signature.n, "x", &e), e);
	buf_clear(&signature);
	memset(buf_room(&text, 8 << 20), 'x', 8 << 20);
	text.n = 8 << 20;
	assert_ok(signer_sign(s, SIGN_DETACHED, text.p, text.n, false,
	    &signature, &e), e);
	assert_ok(pgp_verify(p, text.p, text.n, signature.p, signature.n, "x",
	    &e), e);
	text.p[4 << 20] = 'y';
	assert_fails(pgp_verify(p, text.p, text.n, signature.p, signature.n,
	    "x", &e), e, ERR_REFUSED, "bad signature");
	pgp_close(p);
	signer_close(s);
	buf_clear(&text);
	buf_clear(&signature);
}

/* ---------------------------------------------------------- weak bindings */

static void
bindings_of_real_keys(void **state)
{
	struct buf key = BUF_INIT;

	(void)state;
	get("rsa.gpg", &key);
	assert_null(pgp_weak_binding(key.p, key.n));
	buf_clear(&key);
	get("sha1.gpg", &key);
	assert_string_equal(pgp_weak_binding(key.p, key.n), "SHA-1");
	buf_clear(&key);
}

static void
bindings_made_by_hand(void **state)
{
	static const struct {
		const char *packets;
		size_t n;
		const char *wanted;
	} cases[] = {
		{"", 0, NULL},
		{"\x88\x04\x04\x13\x01\x0a", 6, NULL},
		{"\x88\x04\x04\x13\x01\x02", 6, "SHA-1"},
		{"\x88\x04\x04\x13\x01\x01", 6, "MD5"},
		{"\x88\x04\x04\x13\x01\x03", 6, "RIPEMD-160"},
		{"\x88\x04\x03\x13\x01\x0a", 6, "version 3"},
		{"\x89\x00\x04\x04\x13\x01\x02", 7, "SHA-1"},
		{"\x8a\x00\x00\x00\x04\x04\x13\x01\x02", 9, "SHA-1"},
		{"\xc2\x04\x04\x13\x01\x02", 6, "SHA-1"},
		{"\xc2\xff\x00\x00\x00\x04\x04\x13\x01\x02", 10, "SHA-1"},
		{"\xb4\x01x\xc2\x04\x04\x13\x01\x02", 9, "SHA-1"},
		{"\x88\x04\x04\x13\x01\x0a\x88\x04\x04\x13\x01\x02", 12,
		    "SHA-1"},
		{"\x88\x03\x04\x13\x01", 5, "damaged"},
		{"\x88\x04\x04\x13\x01", 5, "damaged"},
		{"\x88", 1, "damaged"}, {"\x89\x00", 2, "damaged"},
		{"\x8b\x04\x04\x13\x01\x0a", 6, "damaged"},
		{"\xc2\xe0", 2, "damaged"}, {"\xc2\xff\xff\xff\xff\xff", 6,
		    "damaged"},
		{"\xc2\xc0", 2, "damaged"}, {"\x00", 1, "damaged"},
		{"hello", 5, "damaged"},
	};
	const char *got;
	char *copy;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		copy = malloc(cases[i].n ? cases[i].n : 1);
		memcpy(copy, cases[i].packets, cases[i].n);
		got = pgp_weak_binding(copy, cases[i].n);
		free(copy);
		if (cases[i].wanted == NULL ? got != NULL : got == NULL ||
		    strcmp(got, cases[i].wanted) != 0)
			fail_msg("case %zu: %s", i, got ? got : "(none)");
	}
	/* the header of two bytes: 192 and more */
	copy = malloc(2 + 1 + 192);
	memset(copy, 0, 2 + 1 + 192);
	memcpy(copy, "\xc2\xc0\x00\x04\x13\x01\x02", 7);
	assert_string_equal(pgp_weak_binding(copy, 3 + 192), "SHA-1");
	assert_string_equal(pgp_weak_binding(copy, 2 + 192), "damaged");
	free(copy);
}

static void
cut_and_changed_keys_do_no_harm(void **state)
{
	struct buf key = BUF_INIT;
	char *copy;
	size_t n;

	(void)state;
	get("rsa.gpg", &key);
	for (n = 1; n < key.n; n++) {
		copy = malloc(n);
		memcpy(copy, key.p, n);
		(void)pgp_weak_binding(copy, n);
		copy[n / 2] ^= 0x7f;
		(void)pgp_weak_binding(copy, n);
		free(copy);
	}
	buf_clear(&key);
}

/* -------------------------------------------------------------- key rings */

static void
a_key_ring_is_private_and_goes(void **state)
{
	struct keyring k = KEYRING_INIT;
	struct err e = ERR_INIT;
	struct strv homes = STRV_INIT;
	struct stat st;

	(void)state;
	keyring_close(&k);
	assert_ok(keyring_open(&k, true, &e), e);
	assert_int_equal(strncmp(k.home, PLACE "/" PREFIX,
	    strlen(PLACE "/" PREFIX)), 0);
	assert_int_equal(stat(k.home, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	strv_add(&homes, k.home);
	keyring_close(&k);
	assert_false(there_is(homes.v[0]));
	keyring_close(&k);
	strv_clear(&homes);
}

static void
the_agent_goes_with_the_key_ring(void **state)
{
	struct strv homes = STRV_INIT;
	struct err e;
	struct signer *s = open_key("rsa.key", &e);

	(void)state;
	assert_non_null(s);
	list_homes(&homes);
	assert_int_equal(homes.n, 1);
	assert_true(has_agent(homes.v[0]));
	signer_close(s);
	assert_false(there_is(homes.v[0]));
	assert_false(has_agent(homes.v[0]));
	strv_clear(&homes);
}

static void
two_key_rings_at_once(void **state)
{
	struct keyring a = KEYRING_INIT, b = KEYRING_INIT;
	struct err e = ERR_INIT;
	char *home;

	(void)state;
	assert_ok(keyring_open(&a, true, &e), e);
	assert_ok(keyring_open(&b, true, &e), e);
	assert_string_not_equal(a.home, b.home);
	assert_true(there_is(a.home));
	home = mem_dup(a.home);
	keyring_close(&a);
	assert_false(there_is(home));
	assert_true(there_is(b.home));
	keyring_close(&b);
	free(home);
}

/* What a keeper that was killed has left is removed by the next one. */
static void
stale_key_rings_are_removed(void **state)
{
	struct keyring k = KEYRING_INIT, live = KEYRING_INIT;
	struct err e = ERR_INIT;

	(void)state;
	run("mkdir -m 700 " PLACE "/" PREFIX "stale && touch " PLACE "/" PREFIX
	    "stale/lock && mkdir " PLACE "/" PREFIX "stale/private-keys-v1.d "
	    "&& touch " PLACE "/" PREFIX "stale/private-keys-v1.d/x");
	/* and what a keeper that was killed at its removal has left */
	run("mkdir -m 700 " PLACE "/.removed." PREFIX "1.abcdef.0 && touch "
	    PLACE "/.removed." PREFIX "1.abcdef.0/x");
	/* one that is being made: no lock yet, and not old */
	run("mkdir -m 700 " PLACE "/" PREFIX "young");
	assert_ok(keyring_open(&live, true, &e), e);
	assert_false(there_is(PLACE "/" PREFIX "stale"));
	assert_false(there_is(PLACE "/.removed." PREFIX "1.abcdef.0"));
	assert_true(there_is(PLACE "/" PREFIX "young"));
	run("touch -d '2 minutes ago' " PLACE "/" PREFIX "young");
	assert_ok(keyring_open(&k, true, &e), e);
	assert_true(there_is(live.home));
	keyring_close(&k);
	keyring_close(&live);
	assert_false(there_is(PLACE "/" PREFIX "young"));
}

/* A link with such a name is not followed and not removed. */
static void
links_among_the_key_rings_are_left_alone(void **state)
{
	struct keyring k = KEYRING_INIT;
	struct err e = ERR_INIT;

	(void)state;
	run("mkdir precious && touch precious/lock && ln -s $PWD/precious "
	    PLACE "/" PREFIX "link");
	assert_ok(keyring_open(&k, true, &e), e);
	keyring_close(&k);
	assert_true(there_is("precious/lock"));
	run("rm " PLACE "/" PREFIX "link");
}

/* Opens a signer, writes a byte, and waits to be killed. */
static int
hold_a_signer(void *arg)
{
	int *ends = arg;
	struct err e;
	struct signer *s = open_key("rsa.key", &e);

	if (s == NULL || write(ends[1], "x", 1) != 1)
		return 1;
	pause();
	signer_close(s);
	return 2;
}

static void
check_killed_by(int signal_number)
{
	struct strv homes = STRV_INIT;
	int ends[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		default_signals();
		_exit(hold_a_signer(ends));
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	list_homes(&homes);
	kill(pid, signal_number);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(homes.n, 1);
	wait_until_gone(&homes);
	close(ends[0]);
	strv_clear(&homes);
}

static void
a_killed_process_leaves_nothing(void **state)
{
	(void)state;
	check_killed_by(SIGKILL);
	check_killed_by(SIGTERM);
	check_killed_by(SIGSEGV);
}

/* The keeper holds no descriptor of ours: a pipe's reader sees the end. */
static void
the_keeper_holds_none_of_our_descriptors(void **state)
{
	struct keyring k = KEYRING_INIT;
	struct err e = ERR_INIT;
	int ends[2], i;
	static const struct timespec tenth = {.tv_nsec = 100000000};
	char byte;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_ok(keyring_open(&k, true, &e), e);
	close(ends[1]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	for (i = 0; read(ends[0], &byte, 1) != 0; i++) {
		assert_int_equal(errno, EAGAIN);
		assert_true(i < PATIENCE);
		nanosleep(&tenth, NULL);
	}
	close(ends[0]);
	keyring_close(&k);
}

#define TEST(f) cmocka_unit_test_teardown(f, nothing_is_left)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(good_signatures_are_accepted),
		TEST(changed_texts_are_refused),
		TEST(other_keys_are_refused),
		TEST(one_trusted_signature_of_two_is_enough),
		TEST(expired_and_revoked_keys_are_refused),
		TEST(weak_digests_are_refused),
		TEST(what_is_no_signature_is_refused),
		TEST(a_signed_message_is_no_detached_signature),
		TEST(only_the_signed_text_of_a_message_comes_out),
		TEST(no_signature_at_all_is_refused),
		TEST(every_form_of_a_key_file),
		TEST(what_is_no_key_is_refused),
		TEST(good_keys_sign),
		TEST(the_primary_key_signs_where_a_subkey_could),
		TEST(the_public_key_is_public_and_alone),
		TEST(weak_and_ended_keys_are_refused),
		TEST(rpms_need_an_rsa_key),
		TEST(a_key_that_lasts_long_enough_is_taken),
		TEST(keys_without_the_primary_secret_are_refused),
		TEST(primary_keys_that_may_not_sign_are_refused),
		TEST(files_that_are_no_secret_key_are_refused),
		TEST(passphrases),
		TEST(the_next_key_signs_too),
		TEST(the_next_key_is_judged_too),
		TEST(the_same_key_as_next_key_fails_at_once_or_never),
		TEST(a_key_of_the_caller_s_own_ring_signs),
		TEST(empty_and_large_texts_are_signed),
		TEST(bindings_of_real_keys),
		TEST(bindings_made_by_hand),
		TEST(cut_and_changed_keys_do_no_harm),
		TEST(a_key_ring_is_private_and_goes),
		TEST(the_agent_goes_with_the_key_ring),
		TEST(two_key_rings_at_once),
		TEST(stale_key_rings_are_removed),
		TEST(links_among_the_key_rings_are_left_alone),
		TEST(a_killed_process_leaves_nothing),
		TEST(the_keeper_holds_none_of_our_descriptors),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
