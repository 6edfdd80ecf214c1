#include "lib/ssh/login.h"

#include <libssh/libssh.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/ssh/agent.h"
#include "lib/sys/cleanup.h"
#include "lib/sys/log.h"
#include "lib/sys/secret.h"

#define MAX_OFFERS 5	/* sshd hangs up at the sixth: MaxAuthTries */

struct login {
	struct session *session;
	ssh_session libssh;	/* the session's */
	const struct remote_target *target;
	struct strv wanted;	/* keys that only the agent can use */
	struct buf offered;	/* for the message */
	size_t left;		/* how many more may be offered */
};

/* 1 for in, 0 for no, -1 for what another key cannot help. */
static int
judge_answer(struct login *l, int answer, struct err *e)
{
	const char *why = ssh_get_error(l->libssh);

	if (answer == SSH_AUTH_SUCCESS)
		return 1;
	if (answer == SSH_AUTH_DENIED)
		return 0;
	if (answer == SSH_AUTH_PARTIAL)
		return err_set(e, ERR_REFUSED, "the server accepts the key, "
		    "but requires another authentication method as well");
	if (ssh_is_connected(l->libssh) ||
	    strstr(why, "Too many authentication failures") != NULL)
		return err_set(e, ERR_REFUSED, "log in with%s: %s",
		    buf_cstr(&l->offered), why);
	return session_cut(l->session, "log in", e);
}

static int
offer_key(struct login *l, const char *path, ssh_key key, struct err *e)
{
	char *fingerprint = session_fingerprint(key);
	int answer;

	buf_addf(&l->offered, "%s '%s' (%s)", l->offered.n > 0 ? "," : "",
	    path, fingerprint);
	free(fingerprint);
	l->left--;
	while ((answer = ssh_userauth_publickey(l->libssh, NULL, key)) ==
	    SSH_AUTH_AGAIN)
		if (session_wait(l->session, e) < 0)
			return err_wrap(e, "log in");
	return judge_answer(l, answer, e);
}

/* The server's answer to the one key that libssh finds at the agent. */
static int
ask_with_agent(struct login *l, int *answer, struct err *e)
{
	while ((*answer = ssh_userauth_agent(l->libssh, NULL)) ==
	    SSH_AUTH_AGAIN)
		if (session_wait(l->session, e) < 0)
			return err_wrap(e, "log in by the ssh-agent");
	return 0;
}

/* 1 for in, 0 for no, -1; agent.h says why libssh is asked twice. */
static int
offer_agent_key(struct login *l, struct agent *a, size_t i, struct err *e)
{
	int answer, status, fd = agent_show(a, i, e);

	if (fd < 0)
		return -1;
	if (i == 0 && ssh_set_agent_socket(l->libssh, fd) != SSH_OK)
		return session_cut(l->session, "ask the ssh-agent", e);
	if (ask_with_agent(l, &answer, e) < 0)
		return -1;
	if (answer == SSH_AUTH_ERROR && ssh_is_connected(l->libssh)) {
		status = agent_sign(a, e);
		if (status <= 0)
			return status;
		if (ask_with_agent(l, &answer, e) < 0)
			return -1;
	}
	return judge_answer(l, answer, e);
}

static int
offer_agent(struct login *l, bool only_wanted, struct err *e)
{
	struct agent *a = agent_open(&l->wanted, only_wanted, l->left,
	    session_deadline(l->session));
	int status = 0;
	size_t i;

	if (a == NULL)
		return cleanup_check(e);
	buf_addf(&l->offered, "%s %zu of the ssh-agent's keys",
	    l->offered.n > 0 ? "," : "", agent_count(a));
	for (i = 0; i < agent_count(a) && status == 0; i++)
		status = offer_agent_key(l, a, i, e);
	agent_close(a);
	return status;
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
		err_set(e, ERR_DATA, "'%s' is not a private key that libssh "
		    "can read: create or convert one with ssh-keygen", path);
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
		return err_set(e, ERR_REFUSED, "'%s' has a passphrase: load "
		    "it into an ssh-agent with ssh-add",
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
	char *first = session_option(l->session, SSH_OPTIONS_IDENTITY), *other;
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
		    "with: set [%s] identity-file, or load a key into an "
		    "ssh-agent",
		    l->target->section != NULL ? l->target->section : "...");
	return err_set(e, ERR_REFUSED, "the server refuses the login with%s",
	    buf_cstr(&l->offered));
}

static void
log_banner(const struct login *l)
{
	char *text = ssh_get_issue_banner(l->libssh);

	if (text != NULL && *text != '\0')
		log_detail("%s says: %s", session_name(l->session), text);
	ssh_string_free_char(text);
}

int
login_by_key(struct session *s, const struct remote_target *t, struct err *e)
{
	struct login l = {.session = s, .libssh = session_libssh(s),
	    .target = t, .left = MAX_OFFERS};
	int status;

	status = t->identity_file != NULL ?
	    login_named(&l, t->identity_file, e) : login_default(&l, e);
	if (status >= 0)
		log_banner(&l);
	if (status == 0)
		status = say_refused(&l, e);
	strv_clear(&l.wanted);
	buf_clear(&l.offered);
	return status < 0 ? -1 : 0;
}
