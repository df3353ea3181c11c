# A calculator and its clipboard.
TOOLKIT=GTK3
start() {
    galculator &
    window galculator
}
show() {
    window galculator
    click 35 206
    click 229 247
    click 99 206
    click 294 307
    click 56 12
    click 124 65
    wait_until judge
}
judge() { clip_is 56; }
harm() { xclip -o -selection clipboard && ! judge; }
