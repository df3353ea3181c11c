#!/bin/sh
# check_layers.sh - hold the order of the folders and the place of each library.
#
# Fails on an #include of a folder that the including one may not know, of
# another folder's private header, or of a library outside the files that are
# meant to wrap it. The two tables are the architecture; change them with care.
set -eu
cd "$(dirname "$0")/.."

tools/sources.sh | xargs grep -HnE '^[[:space:]]*#[[:space:]]*include' |
awk '
BEGIN {
    # Folder: what it may include besides itself.
    may["base"] = ""
    may["capture"] = "base"
    may["actions"] = "base"
    may["vision"] = "base capture"
    may["model"] = "base vision"
    may["agent"] = "base capture actions vision model"
    may["tools"] = "base capture actions vision model agent"

    # Beginning of a header: which files may name it.
    # tools/bench_x11 is what the others are measured against.
    only["X11/"] = "^(base/x11|capture/(screen|cursor|input_|windows|sign)|actions/xtest|tools/bench_x11)"
    only["xcb/"] = "^capture/input_keys"
    only["xkbcommon/"] = "^capture/input_keys"
    only["SDL"] = "^tools/viewer"
    only["fontconfig/"] = "^tools/viewer_text"
    only["libav"] = "^capture/(av_priv|video_in|video_out)"
    only["libsw"] = "^capture/(av_priv|video_in|video_out)"
    only["png.h"] = "^capture/png"
    only["turbojpeg.h"] = "^capture/jpeg"
    only["jpeglib.h"] = "^capture/jpeg"
    only["cJSON"] = "^base/json"
    only["cjson/"] = "^base/json"
    only["atspi/"] = "^agent/a11y"
    only["curl/"] = "^agent/http\\."
    only["microhttpd.h"] = "^tools/serve"
    only["pcre2.h"] = "^model/pretok"
    only["ft2build.h"] = "^$"
    only["archive"] = "^agent/(pack|unpack)\\.c"
    only["zlib.h"] = "^model/snapshot"
    only["cuda"] = "^model/cuda/"
    only["cublas"] = "^model/cuda/"
    only["immintrin.h"] = "_(avx2|avx512|amx)\\.c$|/(avx512|amx)_priv\\.h$"
    only["arm_neon.h"] = "_neon\\.c$"
}
function bad(why) {
    print where ": " why ": " target
    failed = 1
}
function folder_of(path) {
    return substr(path, 1, index(path, "/") - 1)
}
function check_library(    lib) {
    for (lib in only)
        if (index(target, lib) == 1 && file !~ only[lib])
            bad("this library has a file of its own, and it is not this one")
}
function check_folder(    from, to) {
    if (index(target, "/") == 0) {
        bad("write the path from the root")
        return
    }
    from = folder_of(file)
    to = folder_of(target)
    if (from == to)
        return
    if (index(" " may[from] " ", " " to " ") == 0)
        bad(from " may not include " to)
    else if (target ~ /_priv\.h$/)
        bad("private header of " to)
}
{
    split($0, part, ":")
    file = part[1]
    where = file ":" part[2]
    # Tests may look at anything. The training tools are programs of their
    # own, which are not linked to the others.
    if (file ~ /^(tests|tools\/sprout)\//)
        next
    if (!match($0, /[<"][^>"]*/)) {
        target = $0
        bad("neither <...> nor \"...\"")
        next
    }
    target = substr($0, RSTART + 1, RLENGTH - 1)
    if (substr($0, RSTART, 1) == "<")
        check_library()
    else
        check_folder()
}
END { exit failed }'
