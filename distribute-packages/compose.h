/*
 * The files of the next generation. compose.c has the order of things, and
 * what both formats share; compose_apt.c and compose_rpm.c know what lies
 * where, and what it says.
 */
#ifndef COMPOSE_H
#define COMPOSE_H

#include "distribute-packages/publication.h"

/* ------------------------------------------------- for publication.c */

/* Fills next's manifest but for what is signed. Sorted when it returns. */
int compose_indexes(struct publication *p, struct err *e);
/* What retired stays for its grace; fills next's ledger. */
void compose_ledger(struct publication *p);
/* Adds Release and repomd.xml of the opened suites, and their signatures. */
int compose_signed(struct publication *p, struct err *e);
/* Adds the keys and the files that users copy: .sources, .repo. */
int compose_user_files(struct publication *p, struct err *e);
/* True if the published Release of s says what a new one would. */
bool compose_is_unchanged(const struct publication *p,
    const struct suite *s);
/* The rpms of the opened suites that another key has signed, signed anew. */
int compose_sign_rpms(struct publication *p, struct err *e);

/* -------------------------------------------------- of compose.c's own */

/* One index to be written, by one of several threads. */
struct index_job {
	struct publication *p;
	const struct suite *suite;
	const char *architecture;	/* of Packages; or else: */
	struct rpm_repository *repository;
	enum rpm_list list;
	struct digest plain;
	struct digest packed;
};

struct index_jobs {
	struct index_job *v;
	size_t n;
};

struct signed_text {
	char *path;
	struct buf text;
};

/* One signature to be made, by one of several threads. */
struct sign_job {
	char *path;
	enum sign_mode mode;
	bool first_only;
	size_t text;	/* of struct signing's */
	struct buf signature;
};

struct signing {
	struct publication *p;
	struct signed_text *texts;
	size_t n_texts;
	struct sign_job *jobs;
	size_t n_jobs;
};

/* Stores the bytes as an object and lists them at path. */
int compose_file(struct publication *p, const char *path, const void *data,
    size_t n, struct err *e);
/* Lists a file of the last generation again, unless it has retired. */
void compose_take_over(struct publication *p, const struct manifest_entry *f);
struct index_job *compose_add_job(struct index_jobs *jobs,
    struct publication *p, const struct suite *s);
/* A text to be published; path and text are given away. */
void compose_add_text(struct signing *t, char *path, struct buf text);
/* A signature over the text that was added last; path is given away. */
void compose_add_signature(struct signing *t, char *path,
    enum sign_mode mode, bool first_only);

/* -------------------------------------------------- for each format */

/* Lists what is taken over, and adds jobs for the rest. */
void compose_plan_apt(struct publication *p, const struct suite *s,
    struct index_jobs *jobs);
int compose_plan_rpm(struct publication *p, struct suite *s,
    struct index_jobs *jobs, struct err *e);
/* Lists what a job has made. */
void compose_list_apt(const struct index_job *job);
void compose_list_rpm(const struct index_job *job);
int compose_release(struct publication *p, const struct suite *s,
    struct signing *t, struct err *e);
void compose_repomd(struct publication *p, const struct suite *s,
    struct signing *t);
int compose_sources(struct publication *p, const char *suite, struct err *e);
int compose_repo_files(struct publication *p, const struct suite *s,
    struct err *e);

#endif
