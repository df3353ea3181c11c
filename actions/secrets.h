/*
 * actions/secrets.h - passwords that the model may use and never sees.
 *
 * A text holds {{secret:name}}; only the sink that types it puts the value in
 * its place. Everything that is shown, sent or recorded keeps the placeholder.
 */
#ifndef DH_ACTIONS_SECRETS_H
#define DH_ACTIONS_SECRETS_H

#include <stdbool.h>

#include "base/diag.h"
#include "base/status.h"

struct dh_secrets;

/*
 * Read lines `name=value`; empty ones and those that begin with # are skipped,
 * the value goes to the end of the line as it is. DH_ERR_REFUSED where others
 * than the owner may read the file, DH_ERR_FORMAT where a line is none of
 * these; both are logged, without values. Set *out on DH_OK only.
 */
DH_MUST_USE enum dh_status dh_secrets_read(struct dh_secrets **out,
                                           const char *path);
/* Add one, or give it another value; *s is made where it is NULL. Both are
 * copied. False: no good name, or there are too many. */
DH_MUST_USE bool dh_secrets_put(struct dh_secrets **s, const char *name,
                                const char *value);
bool dh_secrets_has(const struct dh_secrets *s, const char *name);
/* Wipes them first. NULL is allowed. */
void dh_secrets_destroy(struct dh_secrets *s);

/*
 * A copy of `text` with the values in it; *any says that there were some, and
 * then the caller wipes it (explicit_bzero) before dh_free. DH_ERR_NOTFOUND: no
 * secret has that name, `why` says which. `s` may be NULL: none is known.
 */
DH_MUST_USE enum dh_status dh_secrets_expand(const struct dh_secrets *s,
                                             const char *text, char **out,
                                             bool *any, struct dh_diag *why);

/* The text names a secret, however it is spelled; NULL names none. */
bool dh_secrets_named(const char *text);

#endif
