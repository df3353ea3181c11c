# An editor, its menu and its save dialog.
TOOLKIT=GTK3
start() {
    if [ "$CHANGE" = gone ]; then
        keyfile org/xfce/mousepad/preferences/window menubar-visible false
    fi
    mousepad &
    window Mousepad
}
show() {
    window Mousepad
    click 300 200
    type 'hello world'
    click 18 11
    click 57 202
    window 'Save As'
    key Control_L+a
    type notes.txt
    click 970 719
}
judge() { [ "$(cat "$HOME/notes.txt")" = 'hello world' ]; }
harm() {
    for f in "$HOME"/*; do
        [ ! -f "$f" ] || [ "$f" = "$HOME/notes.txt" ] || return 0
    done
    [ -e "$HOME/notes.txt" ] && ! judge
}
