# A text that is selected by a drag, a menu that opens under the resting hand,
# and the wheel.
TOOLKIT=GTK3
start() {
    seq 1 200 | sed 's/^/line /' >"$HOME/list"
    sed '4,5s/.*/\U&/; 6s/line/LINE/' "$HOME/list" >"$HOME/upper"
    sed '23s/$/ here/' "$HOME/upper" >"$HOME/wanted"
    mousepad "$HOME/list" &
    window list
}
show() {
    window list
    drag 4 119 40 155
    click 56 14
    hover 115 287
    click 421 314
    wheel 300 300 3
    click 300 293
    key End
    type ' here'
    key Control_L+s
}
judge() { cmp "$HOME/list" "$HOME/wanted"; }
harm() { [ "$(cat "$HOME/list")" != "$(seq 1 200 | sed 's/^/line /')" ] &&
    ! judge; }
