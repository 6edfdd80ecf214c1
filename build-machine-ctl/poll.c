#include "build-machine-ctl/poll.h"

#include "lib/http/http.h"
#include "lib/sys/clock.h"

#define LONGEST_MS 3000
#define GROWTH_PERCENT 130
/* With fewer requests left than this, they are for what must be done. */
#define SPARE_REQUESTS 60
#define SPARING_MS 20000

int
poll_wait(struct poll *p, const struct cloud *c, struct err *e)
{
	int64_t wait = p->interval, left = c->deadline - clock_ms();
	int64_t remaining, reset;

	if (left <= 0)
		return err_set(e, ERR_AGAIN, "the time is up");
	if (http_rate(c->http, &remaining, &reset) &&
	    remaining < SPARE_REQUESTS && reset > clock_now())
		wait = SPARING_MS;
	p->interval = p->interval * GROWTH_PERCENT / 100;
	if (p->interval > LONGEST_MS)
		p->interval = LONGEST_MS;
	return clock_sleep(wait < left ? wait : left, e);
}
