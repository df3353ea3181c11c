# A word is marked by a double click and pasted by the middle button.
TOOLKIT=Xt
start() {
    word=alpha-beta
    [ "$CHANGE" != gone ] || word=''
    WORD=$word LOG=$HOME/lines xterm -geometry 60x14 -T Shell \
        -xrm 'XTerm*charClass: 45:48' -e sh -c '
        printf "The word is\n\n    %s\n\nWhat is it? " "$WORD"
        : >"$LOG"
        while IFS= read -r l; do printf "%s\n" "$l" >>"$LOG"; done' &
    window Shell
    wait_until test -e "$HOME/lines"
}
show() {
    window Shell
    click 75 44 1 2
    click 180 150 2
    type ' it is'
    key Return
    wait_until judge
}
judge() { [ "$(cat "$HOME/lines")" = 'alpha-beta it is' ]; }
harm() { [ -s "$HOME/lines" ] && ! judge; }
