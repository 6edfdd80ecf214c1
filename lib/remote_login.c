#include <libssh/libssh.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "lib/path.h"
#include "lib/remote_parts.h"
#include "lib/secret.h"

/* The cheapest with the processor's AES first; the rest is the server's. */
#define CIPHERS "aes128-gcm@openssh.com,aes256-gcm@openssh.com," \
    "chacha20-poly1305@openssh.com,aes256-ctr"
#define MAX_OFFERS 5	/* sshd hangs up at the sixth: MaxAuthTries */

/* ------------------------------------------------------------------ options */

static int
set_option(struct remote *r, enum ssh_options_e option, const void *value,
    struct err *e)
{
	if (ssh_options_set(r->session, option, value) == SSH_OK)
		return 0;
	return err_set(e, ERR_CONFIG, "%s", ssh_get_error(r->session));
}

/*
 * What ~/.ssh/config may not change: it says how to get there, not whom to
 * trust. Known hosts that are named are all there are.
 */
static int
set_fixed(struct remote *r, const struct remote_target *t, struct err *e)
{
	long seconds = t->connect_ms / 1000 + 1;
	bool no = false;
	int on = 1, quiet = SSH_LOG_NOLOG;

	if (set_option(r, SSH_OPTIONS_PROCESS_CONFIG, &no, e) < 0 ||
	    set_option(r, SSH_OPTIONS_LOG_VERBOSITY, &quiet, e) < 0 ||
	    set_option(r, SSH_OPTIONS_STRICTHOSTKEYCHECK, &on, e) < 0 ||
	    set_option(r, SSH_OPTIONS_NODELAY, &on, e) < 0 ||
	    set_option(r, SSH_OPTIONS_TIMEOUT, &seconds, e) < 0 ||
	    set_option(r, SSH_OPTIONS_CIPHERS_C_S, CIPHERS, e) < 0 ||
	    set_option(r, SSH_OPTIONS_CIPHERS_S_C, CIPHERS, e) < 0)
		return -1;
	if (t->known_hosts == NULL)
		return 0;
	return set_option(r, SSH_OPTIONS_KNOWNHOSTS, t->known_hosts, e) < 0 ||
	    set_option(r, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, t->known_hosts,
	    e) < 0 ? -1 : 0;
}

/*
 * First the files, then what is set: of an option that is set before, 0.10
 * and 0.11 do not agree whether it stays.
 */
int
remote_options(struct remote *r, const struct remote_target *t, struct err *e)
{
	ssh_set_blocking(r->session, 0);
	if (set_option(r, SSH_OPTIONS_HOST, t->host, e) < 0)
		return -1;
	if (ssh_options_parse_config(r->session, NULL) != SSH_OK)
		return err_set(e, ERR_CONFIG, "~/.ssh/config: %s",
		    ssh_get_error(r->session));
	if (t->user != NULL &&
	    set_option(r, SSH_OPTIONS_USER, t->user, e) < 0)
		return -1;
	if (t->port != 0 && set_option(r, SSH_OPTIONS_PORT, &t->port, e) < 0)
		return -1;
	return set_fixed(r, t, e);
}

/* What libssh holds, yours; NULL where it holds nothing. */
static char *
get_option(struct remote *r, enum ssh_options_e option)
{
	char *value = NULL, *copy;

	if (ssh_options_get(r->session, option, &value) != SSH_OK)
		return NULL;
	copy = value != NULL ? mem_dup(value) : NULL;
	ssh_string_free_char(value);
	return copy;
}

/* ------------------------------------------------------------- the host key */

static void
set_name(struct remote *r, const char *host, unsigned port)
{
	char *user = get_option(r, SSH_OPTIONS_USER);

	free(r->name);
	r->name = mem_format(strchr(host, ':') != NULL ? "%s%s[%s]:%u" :
	    "%s%s%s:%u", user != NULL ? user : "", user != NULL ? "@" : "",
	    host, port);
	free(user);
}

/* "ssh-ed25519 SHA256:..." */
static char *
fingerprint_of(const ssh_key key)
{
	unsigned char *hash = NULL;
	char *text = NULL, *whole;
	const char *type = ssh_key_type_to_char(ssh_key_type(key));
	size_t n = 0;

	if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash,
	    &n) == SSH_OK)
		text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256,
		    hash, n);
	ssh_clean_pubkey_hash(&hash);
	whole = mem_format("%s %s", type != NULL ? type : "a key",
	    text != NULL ? text : "without a fingerprint");
	ssh_string_free_char(text);
	return whole;
}

/* The key as it travels. */
static bool
blob_of(const ssh_key key, struct buf *blob)
{
	char *text = NULL;
	bool good = ssh_pki_export_pubkey_base64(key, &text) == SSH_OK &&
	    base64_read(text, strlen(text), blob);

	ssh_string_free_char(text);
	return good;
}

/*
 * Both must accept: libssh, which takes nothing but a known key for good, and
 * our own reading, which knows what libssh passes over.
 */
static int
judge_key(struct remote *r, const struct remote_host_key *key, struct err *e)
{
	enum ssh_known_hosts_e known;

	if (remote_hosts_judge(key, e) < 0)
		return -1;
	known = ssh_session_is_known_server(r->session);
	if (known == SSH_KNOWN_HOSTS_OK)
		return 0;
	return err_set(e, ERR_REFUSED, "the host key of '%s', %s, is in '%s', "
	    "but libssh cannot read that: it wants one blank between words, "
	    "no carriage return, and no other line for this host that is "
	    "broken", key->host, key->fingerprint,
	    key->files[0] != NULL ? key->files[0] : key->files[1]);
}

static int
check_key(struct remote *r, const struct remote_target *t,
    struct remote_host_key *key, struct err *e)
{
	char *user, *global;
	int status;

	set_name(r, key->host, key->port);
	if (t->known_hosts != NULL) {
		key->files[0] = t->known_hosts;
		return judge_key(r, key, e);
	}
	user = get_option(r, SSH_OPTIONS_KNOWNHOSTS);
	global = get_option(r, SSH_OPTIONS_GLOBAL_KNOWNHOSTS);
	key->files[0] = user;
	key->files[1] = global;
	status = judge_key(r, key, e);
	free(user);
	free(global);
	return status;
}

int
remote_check_host(struct remote *r, const struct remote_target *t,
    struct err *e)
{
	struct remote_host_key key = {.port = 22};
	char *host = get_option(r, SSH_OPTIONS_HOST), *fingerprint = NULL;
	struct buf blob = BUF_INIT;
	ssh_key public = NULL;
	int status = -1;

	ssh_options_get_port(r->session, &key.port);
	if (host == NULL || ssh_get_server_publickey(r->session,
	    &public) != SSH_OK || !blob_of(public, &blob)) {
		err_set(e, ERR_PROTOCOL, "no host key");
	} else {
		fingerprint = fingerprint_of(public);
		key.host = host;
		key.blob = blob.p;
		key.n = blob.n;
		key.fingerprint = fingerprint;
		status = check_key(r, t, &key, e);
	}
	ssh_key_free(public);
	buf_clear(&blob);
	free(fingerprint);
	free(host);
	return status;
}

/* ---------------------------------------------------------------- the login */

struct login {
	struct remote *r;
	const struct remote_target *target;
	struct strv wanted;	/* keys that only the agent can use */
	struct buf offered;	/* for the message */
	size_t left;		/* how many more may be offered */
};

/* 1 for in, 0 for no, -1 for what another key cannot help. */
static int
judge_answer(struct login *l, int answer, struct err *e)
{
	ssh_session s = l->r->session;
	const char *why = ssh_get_error(s);

	if (answer == SSH_AUTH_SUCCESS)
		return 1;
	if (answer == SSH_AUTH_DENIED)
		return 0;
	if (answer == SSH_AUTH_PARTIAL)
		return err_set(e, ERR_REFUSED, "a key is not enough to log "
		    "in there");
	if (ssh_is_connected(s) ||
	    strstr(why, "Too many authentication failures") != NULL)
		return err_set(e, ERR_REFUSED, "log in with%s: %s",
		    buf_cstr(&l->offered), why);
	return remote_cut(l->r, "log in", e);
}

static int
offer_key(struct login *l, const char *path, ssh_key key, struct err *e)
{
	char *fingerprint = fingerprint_of(key);
	int answer;

	buf_addf(&l->offered, "%s '%s' (%s)", l->offered.n > 0 ? "," : "",
	    path, fingerprint);
	free(fingerprint);
	l->left--;
	while ((answer = ssh_userauth_publickey(l->r->session, NULL, key)) ==
	    SSH_AUTH_AGAIN)
		if (remote_wait(l->r, e) < 0)
			return err_wrap(e, "log in");
	return judge_answer(l, answer, e);
}

static int
offer_agent(struct login *l, bool only_wanted, struct err *e)
{
	struct remote *r = l->r;
	int answer;

	r->agent = remote_agent_open(&l->wanted, only_wanted, l->left,
	    r->deadline);
	if (r->agent == NULL)
		return 0;
	buf_addf(&l->offered, "%s %zu of the ssh-agent's keys",
	    l->offered.n > 0 ? "," : "", remote_agent_count(r->agent));
	if (ssh_set_agent_socket(r->session,
	    remote_agent_take_fd(r->agent)) != SSH_OK)
		return remote_cut(r, "ask the ssh-agent", e);
	while ((answer = ssh_userauth_agent(r->session, NULL)) ==
	    SSH_AUTH_AGAIN)
		if (remote_wait(r, e) < 0)
			return err_wrap(e, "log in by the ssh-agent");
	remote_agent_close(r->agent);
	r->agent = NULL;
	if (cleanup_check(e) < 0)
		return -1;
	return judge_answer(l, answer, e);
}

/* A key with a passphrase asks for it: nobody is there to answer. */
static int
note_question(const char *prompt, char *answer, size_t n, int echo,
    int verify, void *arg)
{
	(void)prompt;
	(void)answer;
	(void)n;
	(void)echo;
	(void)verify;
	*(bool *)arg = true;
	return -1;
}

/*
 * The key of a private file. NULL without an error where it is locked by a
 * passphrase: then its public half is noted, for the agent.
 */
static ssh_key
load_key(struct login *l, const char *path, struct err *e)
{
	struct secret s = SECRET_INIT;
	bool is_locked = false;
	ssh_key key = NULL;
	char *text = NULL;

	if (secret_read_file(&s, path, e) < 0)
		return NULL;
	if (ssh_pki_import_privkey_base64(s.p, NULL, note_question, &is_locked,
	    &key) != SSH_OK)
		key = NULL;
	secret_clear(&s);
	if (key != NULL)
		return key;
	if (!is_locked) {
		err_set(e, ERR_DATA, "'%s' is no secret key that libssh can "
		    "read: ssh-keygen makes and converts them", path);
		return NULL;
	}
	if (ssh_pki_import_pubkey_file(path, &key) == SSH_OK &&
	    ssh_pki_export_pubkey_base64(key, &text) == SSH_OK)
		strv_add(&l->wanted, text);
	ssh_string_free_char(text);
	ssh_key_free(key);
	return NULL;
}

/* [..] identity-file: this key, by itself or by the agent, and no other. */
static int
login_named(struct login *l, const char *path, struct err *e)
{
	ssh_key key = load_key(l, path, e);
	int status;

	if (key == NULL && e->kind != ERR_NONE)
		return -1;
	if (key != NULL) {
		status = offer_key(l, path, key, e);
		ssh_key_free(key);
		return status;
	}
	status = offer_agent(l, true, e);
	if (status == 0 && l->offered.n == 0)
		return err_set(e, ERR_REFUSED, "'%s' has a passphrase: it is "
		    "of use only with an ssh-agent that holds it (ssh-add)",
		    path);
	return status;
}

/* A file that is not there, or not private, is passed over, as by ssh(1). */
static int
try_file(struct login *l, const char *path, struct err *e)
{
	struct err no = ERR_INIT;
	ssh_key key = load_key(l, path, &no);
	int status;

	if (key == NULL) {
		if (no.kind == ERR_SIGNAL) {
			*e = no;
			return -1;
		}
		if (no.kind != ERR_NONE && no.kind != ERR_MISSING)
			log_warning("%s", no.text);
		return 0;
	}
	status = offer_key(l, path, key, e);
	ssh_key_free(key);
	return status;
}

/*
 * IdentityFile of ~/.ssh/config, of which libssh tells the first; what it
 * names without one is the first of these.
 */
static int
login_default(struct login *l, struct err *e)
{
	static const char *const others[] = {
		"id_ed25519", "id_ecdsa", "id_rsa",
	};
	char *first = get_option(l->r, SSH_OPTIONS_IDENTITY), *other;
	const char *base = first != NULL ? path_base(first) : "";
	bool is_default = false;
	int status = 0;
	size_t i;

	for (i = 0; i < COUNT(others); i++)
		is_default = is_default || strcmp(base, others[i]) == 0;
	if (first != NULL && !is_default)
		status = try_file(l, first, e);
	for (i = 0; i < COUNT(others) && is_default && status == 0; i++) {
		other = mem_format("%.*s%s", (int)(base - first), first,
		    others[i]);
		status = try_file(l, other, e);
		free(other);
	}
	free(first);
	return status != 0 ? status : offer_agent(l, false, e);
}

static int
say_refused(const struct login *l, struct err *e)
{
	if (l->offered.n == 0)
		return err_set(e, ERR_REFUSED, "there is no key to log in "
		    "with: set [%s] identity-file, or start an ssh-agent",
		    l->target->section != NULL ? l->target->section : "...");
	return err_set(e, ERR_REFUSED, "the login is refused to%s",
	    buf_cstr(&l->offered));
}

static void
say_banner(struct remote *r)
{
	char *text = ssh_get_issue_banner(r->session);

	if (text != NULL && *text != '\0')
		log_detail("%s says: %s", r->name, text);
	ssh_string_free_char(text);
}

int
remote_login(struct remote *r, const struct remote_target *t, struct err *e)
{
	struct login l = {.r = r, .target = t, .left = MAX_OFFERS};
	int status;

	status = t->identity_file != NULL ?
	    login_named(&l, t->identity_file, e) : login_default(&l, e);
	if (status >= 0)
		say_banner(r);
	if (status == 0)
		status = say_refused(&l, e);
	strv_clear(&l.wanted);
	buf_clear(&l.offered);
	return status < 0 ? -1 : 0;
}
