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
}
judge() { clip_is 56; }
harm() { xclip -o -selection clipboard && ! judge; }
