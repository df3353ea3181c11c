# A form of Tk that tells what was clicked on.
TOOLKIT=Tk
start() {
    wish "$here/replay/form.tcl" "$HOME/log" "$CHANGE" &
    window Order
}
show() {
    window Order
    click 177 18
    type Ada
    click 202 95
    click 23 134
    click 33 213
    click 43 321
    wait_until judge
}
want='click .name 1
click .large 1
click .gift 1
click .list 1
click .ok 1'
# Twice into a field is once.
clicks() {
    grep ^click "$HOME/log" | awk '$0 != last || !/[.]name/ { print; last = $0 }'
}
judge() { grep -q '^done Ada|0|large|1|2$' "$HOME/log" && [ "$(clicks)" = "$want" ]; }
# As many lines as there are, from the beginning.
harm() {
    n=$(clicks | wc -l)
    [ "$(clicks)" != "$(printf '%s\n' "$want" | head -n "$n")" ] ||
        grep -q cancelled "$HOME/log" ||
        { grep -q ^done "$HOME/log" && ! judge; }
}
