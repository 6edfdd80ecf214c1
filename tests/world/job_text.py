#!/usr/bin/python3 -B
"""The shell text of a job as the pipeline file has it, for bash.

    job_text.py FILE JOB

What the job extends is added, and its variables where the environment has no
other value for them; the text runs as a runner runs it, with errexit."""

import sys

import yaml


def merged(jobs, name):
    """The job with what it extends: mappings are merged, all else replaced."""
    job = jobs[name]
    above = job.get('extends', [])
    result = {}
    for parent in [above] if isinstance(above, str) else above:
        result = merge(result, merged(jobs, parent))
    return merge(result, job)


def merge(below, above):
    return {**below, **{
        key: merge(below[key], value)
        if isinstance(value, dict) and isinstance(below.get(key), dict)
        else value for key, value in above.items()}}


def lines(script):
    """A script is a line, or a list of scripts."""
    if isinstance(script, str):
        return [script.rstrip('\n')]
    return [line for part in script for line in lines(part)]


def main():
    with open(sys.argv[1], encoding='utf-8') as f:
        jobs = yaml.safe_load(f)
    job = merged(jobs, sys.argv[2])
    print('set -e')
    for key, value in job.get('variables', {}).items():
        print('export %s="${%s-%s}"' % (key, key, value))
    print('\n'.join(lines(job.get('before_script', [])) +
                    lines(job['script'])))


if __name__ == '__main__':
    main()
