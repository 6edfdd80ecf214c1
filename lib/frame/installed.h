/*
 * Where `make install` has put what messages name.
 */
#ifndef LIB_FRAME_INSTALLED_H
#define LIB_FRAME_INSTALLED_H

/*
 * The path of a file of share/veilid-cicd, yours. It is looked for beside the
 * bin directory of the running tool, so it is right for every PREFIX, and for
 * a tree that was moved; a tool that is not installed says /usr/local, the
 * default.
 */
char *installed_path(const char *name);

#endif
