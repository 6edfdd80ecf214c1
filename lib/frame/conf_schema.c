#include "lib/frame/conf.h"

/*
 * Everything that veilid-cicd.conf(5) documents and veilid-cicd.conf.example
 * shows; `make lint` compares the three.
 */
const struct conf_key conf_schema[] = {
	{"release", "builds", CONF_LIST, "amd64-deb arm64-deb amd64-rpm", NULL},
	{"release", "packages", CONF_LIST, "veilid-server veilid-cli", NULL},
	{"release", "allow-essential", CONF_LIST, NULL, NULL},
	{"release", "max-size", CONF_SIZE, "4GiB", NULL},
	{"release", "tag-format", CONF_WORD, "v%v", NULL},
	{"release", "prerelease-suite", CONF_WORD, NULL, NULL},
	{"release", "version-suffixes", CONF_LIST, "-[0-9]*", NULL},

	{"suite NAME", "origin", CONF_TEXT, NULL, NULL},
	{"suite NAME", "label", CONF_TEXT, NULL, NULL},
	{"suite NAME", "codename", CONF_WORD, NULL, NULL},
	{"suite NAME", "description", CONF_TEXT, NULL, NULL},
	{"suite NAME", "architectures", CONF_LIST, "amd64 arm64", NULL},
	{"suite NAME", "keep", CONF_NUMBER, "5", NULL},
	{"suite NAME", "grace", CONF_DURATION, "7d", NULL},
	{"suite NAME", "valid-for", CONF_DURATION, NULL, NULL},

	{"repository", "state", CONF_PATH, "~/veilid-cicd", NULL},
	{"repository", "inbox", CONF_PATH, "~/incoming", NULL},
	{"repository", "drop-age", CONF_DURATION, "14d", NULL},
	{"repository", "url", CONF_URL, NULL, NULL},
	{"repository", "prefix", CONF_WORD, "veilid", NULL},
	{"repository", "keep", CONF_NUMBER, "10", NULL},

	{"signing", "key-file", CONF_PATH, NULL, NULL},
	{"signing", "key", CONF_WORD, NULL, NULL},
	{"signing", "passphrase-file", CONF_PATH, NULL, NULL},
	{"signing", "next-key-file", CONF_PATH, NULL, NULL},
	{"signing", "min-days", CONF_NUMBER, "30", NULL},

	{"rpm", "builder", CONF_CHOICE, "native", "native container"},
	{"rpm", "container-command", CONF_WORD, "docker", NULL},
	{"rpm", "container-image", CONF_WORD, "veilid-cicd-rpm-builder", NULL},

	{"deploy", "root", CONF_PATH, "/srv", NULL},
	{"deploy", "inbox", CONF_PATH, "~/incoming", NULL},
	{"deploy", "trusted-key", CONF_PATH, NULL, NULL},
	{"deploy", "keep", CONF_NUMBER, "5", NULL},
	{"deploy", "url", CONF_URL, NULL, NULL},
	{"deploy", "owner", CONF_WORD, NULL, NULL},

	{"orchestrator", "host", CONF_WORD, NULL, NULL},
	{"orchestrator", "port", CONF_NUMBER, NULL, NULL},
	{"orchestrator", "user", CONF_WORD, NULL, NULL},
	{"orchestrator", "inbox", CONF_WORD, "incoming", NULL},
	{"orchestrator", "identity-file", CONF_PATH, NULL, NULL},
	{"orchestrator", "known-hosts", CONF_PATH, NULL, NULL},
	{"orchestrator", "connect-timeout", CONF_DURATION, "30s", NULL},

	{"repo-server", "host", CONF_WORD, NULL, NULL},
	{"repo-server", "port", CONF_NUMBER, NULL, NULL},
	{"repo-server", "user", CONF_WORD, NULL, NULL},
	{"repo-server", "inbox", CONF_WORD, "incoming", NULL},
	{"repo-server", "identity-file", CONF_PATH, NULL, NULL},
	{"repo-server", "known-hosts", CONF_PATH, NULL, NULL},
	{"repo-server", "connect-timeout", CONF_DURATION, "30s", NULL},

	{"digitalocean", "api-url", CONF_URL, "https://api.digitalocean.com",
	    NULL},
	{"digitalocean", "token-file", CONF_PATH, NULL, NULL},
	{"digitalocean", "region", CONF_WORD, "nyc1", NULL},
	{"digitalocean", "size", CONF_WORD, "c2-8vcpu-16gb-intel", NULL},
	{"digitalocean", "ssh-keys", CONF_LIST, NULL, NULL},
	{"digitalocean", "tags", CONF_LIST,
	    "build-machines build-orchestration", NULL},
	{"digitalocean", "vpc", CONF_WORD, NULL, NULL},
	{"digitalocean", "name-format", CONF_WORD, "build-server-%s-tmp", NULL},
	{"digitalocean", "ttl", CONF_DURATION, "24h", NULL},
	{"digitalocean", "billing", CONF_CHOICE, "second", "second hour"},

	{"machine BUILD", "image", CONF_TEXT, NULL, NULL},
	{"machine BUILD", "size", CONF_WORD, NULL, NULL},
	{"machine BUILD", "region", CONF_WORD, NULL, NULL},
	{"machine BUILD", "runner-tags", CONF_LIST, NULL, NULL},
	{"machine BUILD", "user-data", CONF_PATH, NULL, NULL},

	{"gitlab", "url", CONF_URL, "https://gitlab.com", NULL},
	{"gitlab", "token-file", CONF_PATH, NULL, NULL},
	{"gitlab", "project", CONF_WORD, NULL, NULL},
	{"gitlab", "runner-access", CONF_CHOICE, "protected", "protected all"},

	{"enrol", "packages", CONF_LIST,
	    "ca-certificates curl git gnupg docker.io", NULL},
	{"enrol", "runner-repository", CONF_URL,
	    "https://packages.gitlab.com/runner/gitlab-runner/debian", NULL},
	{"enrol", "runner-key-url", CONF_URL,
	    "https://packages.gitlab.com/runner/gitlab-runner/gpgkey", NULL},
	{"enrol", "runner-version", CONF_WORD, NULL, NULL},
	{"enrol", "earthly-url", CONF_URL, "https://github.com/earthly/earthly/"
	    "releases/download/v0.7.15/earthly-linux-amd64", NULL},
	{"enrol", "earthly-sha256", CONF_WORD, NULL, NULL},

	{0},
};
