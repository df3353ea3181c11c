/*
 * agent/endpoint.h - a model on another machine: where it is and how it wants
 * to be asked.
 *
 * Settings come from a built-in profile, then from a section of the
 * configuration file, then from the command line. A section looks so:
 *
 *   [cluster]
 *   url = http://127.0.0.1:8000/v1
 *   profile = vllm
 *   key-file = /home/me/.keys/cluster
 *
 * The key of a section goes to the host of its url and to no other.
 */
#ifndef DH_AGENT_ENDPOINT_H
#define DH_AGENT_ENDPOINT_H

#include <stdbool.h>

#include "actions/parse.h"
#include "base/opts.h"
#include "base/status.h"
#include "model/prompt.h"

enum dh_protocol { DH_PROTOCOL_OPENAI, DH_PROTOCOL_ANTHROPIC };

/* Where a request says whether to think. */
enum dh_think_by {
    DH_THINK_NOWHERE,
    DH_THINK_FIELD,    /* "thinking": {"type": ..} */
    DH_THINK_TEMPLATE, /* "chat_template_kwargs": {"thinking_mode": ..} */
};

/* Bound to dh_endpoint_opts; texts point into what was read. */
struct dh_endpoint_settings {
    const char *profile, *url, *model, *key_file, *key_env, *ca_file;
    const char *prompt; /* file with the instructions; NULL: those for M3 */
    int protocol, think_by, coord, thinking; /* the enums; enum dh_thinking */
    bool png, tell_side, stop, stream, check_tokens, form;
    /* No options, the profile alone says so. */
    bool root;              /* it knows the role root */
    bool completion_tokens; /* max_completion_tokens is the limit's name */
    bool mark_cache;        /* what it should keep has to be marked */
    int quality, max_side, max_images, max_tokens, retries;
    double temperature, top_p, idle_s, total_s;
    double backoff; /* seconds before the first retry */
    double price_in, price_cached, price_out; /* dollars a million tokens */
};

struct dh_endpoint {
    struct dh_endpoint_settings s;
    char *name; /* for reports: the section, or the profile */
    char *base; /* no slash at its end; "/chat/completions" comes behind */
    char *key;  /* NULL: none. Never logged. */
    /* By the command line, before all else; UNSET and 0: not. */
    enum dh_thinking thinking;
    double idle_s, total_s;
    char *section, *text, *again; /* of the file; s points into both copies */
};

/* What the command line says. NULL and 0: nothing. */
struct dh_endpoint_choice {
    const char *url;    /* or none, where the section has one */
    const char *name;   /* a section or a profile */
    const char *config; /* path of the file, which need not be there */
    const char *model, *key_file, *ca_file;
    /* A variable of the environment, for key-env; NULL: there are none. */
    const char *(*env)(const char *name);
    enum dh_thinking thinking; /* UNSET: as the settings say */
    double idle_s, total_s;    /* 0: the same */
};

extern const struct dh_opt dh_endpoint_opts[];

/* DH_ERR_USAGE, logged: an address or a setting that cannot be. The key's file
 * is read; one that others may read is warned of. */
DH_MUST_USE enum dh_status dh_endpoint_open(struct dh_endpoint **out,
                                            const struct dh_endpoint_choice *c);
void dh_endpoint_close(struct dh_endpoint *e); /* NULL is allowed */

bool dh_endpoint_is_url(const char *text);
/* Take the settings of another profile, as far as nothing else was said: what
 * the server tells of itself. False: there is no such profile. */
bool dh_endpoint_adopt(struct dh_endpoint *e, const char *profile);
/* Dollars; 0 where no prices are known. */
double dh_endpoint_cost(const struct dh_endpoint *e, double prompt,
                        double cached, double answer);
/* Tokens that M3 makes of a picture of this size under the settings (actions.md
 * 4.3); *w and *h become the size that is sent. */
int dh_endpoint_picture_tokens(const struct dh_endpoint *e, int *w, int *h);

#endif
