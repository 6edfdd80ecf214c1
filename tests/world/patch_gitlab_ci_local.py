#!/usr/bin/python3 -B
"""gitlab-ci-local 4.73.0 never runs a job with `when: on_failure` if a job
between it and the failure was skipped: it waits for that one to finish. GitLab
takes a skipped job as done, and so does this patch. The version is pinned; of
any other the text below would not be found."""

import sys

WAITS = 'if(B1.isNotFinished(z))continue;'
SKIPPED = ('if(z.some((X)=>!X.finished&&!(X.when==="on_success"&&!X.started&&'
           'B1.isPastFailed(B1.getPastToWaitFor(D,u,X,$)))))continue;')


def main():
    path = sys.argv[1]
    with open(path, encoding='utf-8') as f:
        text = f.read()
    if text.count(WAITS) != 1:
        sys.exit('%s: not the version that this patch is for' % path)
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text.replace(WAITS, SKIPPED))


if __name__ == '__main__':
    main()
