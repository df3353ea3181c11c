# A page with a form that tells what was clicked on.
TOOLKIT=Blink
start() {
    # shellcheck disable=SC2086
    chromium --no-sandbox --no-first-run --disable-gpu --password-store=basic \
        --user-data-dir="$HOME/profile" --force-renderer-accessibility \
        --window-size=620,460 $CHROMIUM \
        --app="file://$here/replay/form.html#$CHANGE" &
    window 'Order form'
}
show() {
    window 'Order form'
    click 230 95
    type Ada
    click 230 132
    type London
    click 230 170
    click 35 205
    click 50 245
    wait_until judge
}
want='name city large gift send'
log() {
    xdotool search --onlyvisible --class chromium getwindowname %@ |
        sed -n 's/^Order form *//p' | head -1
}
judge() { [ "$(log)" = "$want done Ada|London|true|true" ]; }
harm() {
    got=$(log)
    # Twice into a field is once.
    clicks=$(echo "${got%% done*}" | sed 's/name name/name/; s/city city/city/')
    case "$want " in "$clicks "*) ;; *) [ -n "$clicks" ] && return 0 ;; esac
    case $got in *done*) ! judge ;; *) return 1 ;; esac
}
