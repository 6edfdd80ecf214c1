#include "build-machine-ctl/token.h"

#include <stdlib.h>

/* It becomes a header's value: one word of printable ASCII. */
static int
check(const struct secret *token, const char *from, struct err *e)
{
	size_t i;

	if (token->n == 0)
		return err_set(e, ERR_CONFIG, "the token in %s is empty", from);
	for (i = 0; i < token->n; i++)
		if (token->p[i] <= ' ' || token->p[i] >= 0x7f)
			return err_set(e, ERR_CONFIG, "%s does not hold a "
			    "token: it has more than one word, or bytes that "
			    "no token has", from);
	return 0;
}

int
token_read(const struct conf *conf, const char *section,
    const char *variable, struct secret *token, struct err *e)
{
	char *path;
	int status;

	if (secret_take_variable(token, variable)) {
		secret_trim_newline(token);
		return check(token, variable, e);
	}
	path = conf_path(conf, section, "token-file");
	if (path == NULL)
		return err_set(e, ERR_CONFIG, "no token: set $%s or [%s] "
		    "token-file", variable, section);
	status = secret_read_file(token, path, e);
	if (status == 0) {
		secret_trim_newline(token);
		status = check(token, path, e);
	} else {
		err_wrap(e, "[%s] token-file", section);
	}
	free(path);
	return status;
}
