#!/bin/sh
# check_banned.sh - fail on calls that have a safer twin or a home of their own,
# and on variables that outlive a function.
#
# A comment "allowed: <reason>" on the line makes an exception.
set -eu
cd "$(dirname "$0")/.."

tools/sources.sh | xargs awk '
function put(list, where,    n, i, name) {
    n = split(list, name, " ")
    for (i = 1; i <= n; i++)
        home[name[i]] = where
}
BEGIN {
    # Name of a function: which files may call it.
    put("strcpy strcat sprintf vsprintf strncpy strncat strtok atoi atol atof", "^$")
    put("sscanf gets rand srand system popen alloca setlocale tmpnam mktemp", "^$")
    put("malloc calloc realloc strdup strndup aligned_alloc posix_memalign", "^(base/mem\\.c|tests/)")
    put("getenv secure_getenv exit", "^(tools|tests)/")
    put("sleep usleep nanosleep clock_nanosleep", "^base/clock\\.c")
    put("printf puts putchar vprintf", "^(tools|tests)/")
    # State that belongs to the process and not to an object.
    globals = "^(base/(log|x11|clock|mem|fault)\\.c|model/cpu/dispatch\\.c|tests/)"
}
# Programs of their own, which make training pictures and are linked to nothing.
FILENAME ~ /^tools\/sprout\// { next }
FNR == 1 { in_comment = 0; depth = 0; begin = 1 }
function bad(why) {
    print FILENAME ":" FNR ": " why
    failed = 1
}
# The line without comments and with empty strings.
function code_of(s,    out, c, two, quote, i, n) {
    n = length(s)
    for (i = 1; i <= n; i++) {
        c = substr(s, i, 1)
        two = substr(s, i, 2)
        if (in_comment) {
            if (two == "*/") { in_comment = 0; i++ }
        } else if (quote != "") {
            if (c == "\\") i++
            else if (c == quote) { out = out quote; quote = "" }
        } else if (two == "//") {
            break
        } else if (two == "/*") {
            in_comment = 1; i++
        } else {
            if (c == "\"" || c == "\047") quote = c
            out = out c
        }
    }
    return out
}
function check_calls(s,    rest, name, before, at) {
    rest = s
    at = 0
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]*/)) {
        name = substr(rest, RSTART, RLENGTH)
        before = substr(s, at + RSTART - 1, 1)
        at += RSTART + RLENGTH - 1
        rest = substr(rest, RSTART + RLENGTH)
        if (name == "stdout" && FILENAME !~ /^(tools|tests)\//)
            bad("results go to standard output in tools/ only")
        if (name in home && rest ~ /^[ \t]*\(/ && before !~ /[.>]/ &&
            FILENAME !~ home[name])
            bad(name "() is not for this file")
    }
}
# A declaration at the top level that begins on this line and is neither a
# function, a type nor constant.
function check_global(s) {
    if (depth > 0 || !begin || FILENAME ~ globals)
        return
    if (s !~ /^(static|extern|_Thread_local|_Atomic|atomic_|struct|int|bool|char|size_t|u?int[0-9]|double|float|unsigned|long|void)/)
        return
    if (s ~ /(^|[^A-Za-z0-9_])(const|typedef|inline|_Static_assert)([^A-Za-z0-9_]|$)/)
        return
    if (s ~ /^(struct|union|enum) [A-Za-z0-9_]+( \{.*|;)$/)
        return
    if (s ~ /^[^(=]*(;|=.*|\[.*)$/ && s !~ /^[^=;]*\(/)
        bad("variable of the whole process")
}
{
    excused = $0 ~ /allowed: [^ ]/
    s = code_of($0)
    if (s ~ /^[ \t]*#/) { begin = 1; next }
    if (!excused) {
        check_calls(s)
        check_global(s)
    }
    opened = gsub(/\{/, "{", s)
    depth += opened - gsub(/\}/, "}", s)
    if (s !~ /^[ \t]*$/)
        begin = s ~ /[;}{][ \t]*$/
}
END { exit failed }'
