# A calculator whose keypad is opened from the menu.
TOOLKIT=Qt5
start() {
    speedcrunch &
    window SpeedCrunch
}
show() {
    window SpeedCrunch
    click 122 10
    click 155 34
    hand 'rest 500'
    click 57 361
    click 253 395
    click 122 361
    click 188 460
    click 82 10
    click 142 59
    wait_until judge
}
judge() { clip_is 56; }
harm() { xclip -o -selection clipboard && ! judge; }
