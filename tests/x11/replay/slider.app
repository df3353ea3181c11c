# A slider that is dragged.
TOOLKIT=GTK3
start() {
    (yad --scale --title=Level --text='How much?' --value=20 \
        --min-value=0 --max-value=100 >"$HOME/new"
        mv "$HOME/new" "$HOME/level") &
    window Level
}
show() {
    window Level
    drag 46 59 122 59
    click 136 94
    wait_until test -s "$HOME/level"
    # What the hand came to is what was shown.
    cp "$HOME/level" "$OUT/wanted"
}
judge() { [ -s "$HOME/level" ] && [ "$(cat "$HOME/level")" -gt 30 ] &&
    cmp "$HOME/level" "$OUT/wanted"; }
harm() { [ -s "$HOME/level" ] && ! judge; }
