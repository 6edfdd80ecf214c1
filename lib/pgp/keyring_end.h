/*
 * The end of a gpg home: the directory, its sockets, and every process that was
 * started for it, also one that is only just starting.
 */
#ifndef LIB_PGP_KEYRING_END_H
#define LIB_PGP_KEYRING_END_H

/*
 * By an absolute path, as it stands in the arguments of gpg and its agent. May
 * be called again, and for a home that is gone. Cannot fail: what is left after
 * some seconds is left for the next run.
 */
void keyring_end(const char *home);

#endif
