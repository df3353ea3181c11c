#include "base/status.h"

const char *dh_status_name(enum dh_status st)
{
    static const char *const names[] = {
        [DH_OK] = "ok",
        [DH_ERR_USAGE] = "usage",
        [DH_ERR_IO] = "input/output error",
        [DH_ERR_NOTFOUND] = "not found",
        [DH_ERR_FORMAT] = "malformed",
        [DH_ERR_UNSUPPORTED] = "unsupported",
        [DH_ERR_RANGE] = "out of range",
        [DH_ERR_NOMEM] = "out of memory",
        [DH_ERR_TIMEOUT] = "timed out",
        [DH_ERR_CANCELLED] = "cancelled",
        [DH_ERR_CLOSED] = "closed",
        [DH_ERR_REFUSED] = "refused",
        [DH_ERR_TAKEN] = "taken over by a person",
    };
    if ((unsigned)st >= sizeof(names) / sizeof(names[0]))
        return "unknown status";
    return names[st];
}
