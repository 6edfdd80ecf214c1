/*
 * A rich dependency: what is accepted has an end, and closes no more than it
 * opens. For rpm what a word opens need not be closed: "(a(b or c)".
 */
#include "lib/rpm/rpm.h"
#include "tests/fuzz/support.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = text_of(data, n);
	struct err e = ERR_INIT;
	size_t i, len = strlen(text);
	long open = 0;

	if (text[0] != '(') {
		free(text);
		return 0;
	}
	if (rpm_check_rich(text, &e) == 0) {
		for (i = 0; i < len; i++)
			open += (text[i] == '(') - (text[i] == ')');
		must(open >= 0 && text[len - 1] == ')');
	} else {
		must_have_reason(&e);
	}
	free(text);
	return 0;
}
