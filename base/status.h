/* base/status.h - how a function tells its caller what happened. */
#ifndef DH_BASE_STATUS_H
#define DH_BASE_STATUS_H

#define DH_MUST_USE       __attribute__((warn_unused_result))
#define DH_PRINTF(fmt, a) __attribute__((format(printf, fmt, a)))
#define DH_NORETURN       __attribute__((noreturn))

/* The program acts on the code; the text that people read is in the log. */
enum dh_status {
    DH_OK = 0,
    DH_ERR_USAGE,       /* the user asked for something that cannot be */
    DH_ERR_IO,          /* the system or the X server did not deliver */
    DH_ERR_NOTFOUND,    /* a file, display or name is not there */
    DH_ERR_FORMAT,      /* the bytes are not what they claim to be */
    DH_ERR_UNSUPPORTED, /* valid, but not something we can work with */
    DH_ERR_RANGE,       /* a number outside its limits */
    DH_ERR_NOMEM,
    DH_ERR_TIMEOUT,
    DH_ERR_CANCELLED, /* somebody asked to stop; nobody logs this */
    DH_ERR_CLOSED,    /* the other end of a queue or a connection is gone */
    DH_ERR_REFUSED,   /* a rule forbids it */
    DH_ERR_TAKEN,     /* a person has taken over; wait until they are done */
};

/* A constant string such as "not found"; never NULL. */
const char *dh_status_name(enum dh_status st);

#endif
