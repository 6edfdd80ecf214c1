"""DigitalOcean's limits of requests."""


import clock
from shapes import too_many


class Limits:
    """Per token: 5000 an hour, each request for an hour of its own, and 250 a
    minute. The list of keys allows 10 a minute."""

    def __init__(self, options):
        self.options = options
        self.times = {}

    def judge(self, token, request):
        """The headers for the answer, and a 429 or None."""
        now = clock.time()
        times = [t for t in self.times.get(token, []) if t > now - 3600]
        self.times[token] = times
        most, burst = self.options.per_hour, self.options.per_minute
        refusal = None
        if len(times) >= most:
            refusal = too_many()
        elif len([t for t in times if t > now - 60]) >= burst:
            refusal = too_many(retry_after=times[-burst] + 61 - now)
        elif request.method == 'GET' and request.path == '/v2/account/keys':
            refusal = self.judge_keys(token, now)
        if refusal is None:
            times.append(now)
        return {'ratelimit-limit': str(most),
                'ratelimit-remaining': str(max(0, most - len(times))),
                'ratelimit-reset': str(int((times or [now])[0]) + 3600),
                }, refusal

    def judge_keys(self, token, now):
        key = (token, 'keys')
        times = [t for t in self.times.get(key, []) if t > now - 60]
        self.times[key] = times
        if len(times) >= self.options.keys_per_minute:
            return too_many(retry_after=times[0] + 61 - now)
        times.append(now)
        return None
