# Athena widgets, and the primary selection.
TOOLKIT=Xaw
start() {
    rpn=''
    [ "$CHANGE" != gone ] || rpn=-rpn
    # shellcheck disable=SC2086
    xcalc $rpn &
    window Calculator
}
show() {
    window Calculator
    click 62 292
    click 204 292
    click 94 292
    click 204 384
    click 200 20
    wait_until judge
}
judge() { [ "$(xclip -o -selection primary)" = 56 ]; }
harm() { xclip -o -selection primary && ! judge; }
