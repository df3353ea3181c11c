# An editor whose tool bar saves.
TOOLKIT=Qt5
start() {
    echo old >"$HOME/notes.txt"
    if [ "$CHANGE" = gone ]; then
        mkdir -p "$XDG_CONFIG_HOME/featherpad"
        printf '[window]\nnoToolbar=true\n' >"$XDG_CONFIG_HOME/featherpad/fp.conf"
    fi
    featherpad --standalone "$HOME/notes.txt" &
    window notes.txt
}
show() {
    window notes.txt
    click 300 200
    key Control_L+End
    type 'hello world'
    click 88 32
    saved
}
saved() { wait_until judge; }
judge() { [ "$(tail -1 "$HOME/notes.txt")" = 'hello world' ]; }
harm() { [ "$(cat "$HOME/notes.txt")" != old ] && ! judge; }
