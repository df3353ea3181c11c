# A form of two fields.
TOOLKIT=GTK3
start() {
    surname=--add-entry=Surname
    [ "$CHANGE" != gone ] || surname=''
    # shellcheck disable=SC2086
    (zenity --forms --title='New person' --text='Who is it?' \
        --add-entry=Name $surname >"$HOME/new"
        echo $? >>"$HOME/new"; mv "$HOME/new" "$HOME/form") &
    window 'New person'
}
show() {
    window 'New person'
    click 170 66
    type Ada
    click 170 100
    type Lovelace
    click 220 143
}
judge() { [ "$(cat "$HOME/form")" = 'Ada|Lovelace
0' ]; }
harm() { [ -e "$HOME/form" ] && ! judge; }
