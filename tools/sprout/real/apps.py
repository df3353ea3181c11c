"""The held-out applications: none of them is used for training. Steps: see held_out.py."""

# name, toolkit, command, steps, environment
APPS = [
    ("galculator", "gtk3", "galculator", "shot; click File; shot; esc; click Edit; shot; esc; click View; shot; click Scientific Mode; wait; shot; "
     "click Edit; click Preferences; wait; shot", {}),
    ("mousepad", "gtk3", "mousepad notes.txt", "shot; click File; shot; esc; click Edit; shot; esc; click Search; shot; click Find and Replace; wait; shot; "
     "esc; click Edit; click Preferences; wait; shot", {"GTK_THEME": "Greybird"}),
    ("zenity", "gtk3", "zenity --forms --title=Registration --text=Person --add-entry=Nickname --add-entry=Town --add-password=Passphrase "
     "--add-combo=Size --combo-values=Small|Large", "shot", {}),
    ("zenity", "gtk3", "zenity --question --title=Backup --text=Overwrite?  --ok-label=Overwrite --cancel-label=Keep", "shot", {"GTK_THEME": "Arc-Dark"}),
    ("zenity", "gtk3", "zenity --entry --title=Rename --text=Name: --entry-text=draft", "shot", {"GTK_THEME": "Adwaita:dark"}),
    ("zenity", "gtk3", "zenity --list --title=Fruit --column=Kind --column=Stock Apples 12 Pears 7 Plums 31 Quinces 4 --height=300", "shot", {}),
    ("zenity", "gtk3", "zenity --list --checklist --title=Parts --column=On --column=Part TRUE Kernel FALSE Drivers TRUE Manuals --height=300", "shot",
     {"GTK_THEME": "Breeze"}),
    ("zenity", "gtk3", "zenity --calendar --title=Deadline --day=12 --month=5 --year=2024", "shot", {}),
    ("zenity", "gtk3", "zenity --file-selection --title=Attach", "wait; shot", {}),
    ("pluma", "gtk3", "pluma", "wait; shot; click File; shot; esc; click Search; shot; esc; click Tools; shot; esc; click Edit; click Preferences; wait; shot", {}),
    ("file-roller", "gtk3", "file-roller bundle.zip", "wait; shot", {}),
    ("catfish", "gtk3", "catfish", "wait; wait; shot", {}),
    ("thunar", "gtk3", "thunar .", "wait; shot; click File; shot; esc; click View; shot; esc; click Edit; click Preferences; wait; shot", {}),
    ("gtk3-widget-factory", "gtk3", "gtk3-widget-factory", "wait; shot; click Page 2; wait; shot", {}),
    ("xfce4-appfinder", "gtk3", "xfce4-appfinder", "wait; wait; shot", {"GTK_THEME": "Greybird"}),
    ("gcolor3", "gtk3", "gcolor3", "wait; shot", {}),
    ("gucharmap", "gtk3", "gucharmap", "wait; shot; click View; shot; esc", {"GTK_THEME": "Numix"}),
    ("xfce4-taskmanager", "gtk3", "xfce4-taskmanager", "wait; shot", {}),
    ("l3afpad", "gtk3", "l3afpad notes.txt", "wait; shot; click File; shot; esc; click Edit; shot; esc; click Search; shot; esc; click Options; shot", {"GTK_THEME": "Materia"}),
    ("gtk3-demo", "gtk3", "gtk3-demo", "wait; shot", {}),
    ("speedcrunch", "qt5", "speedcrunch", "wait; shot; click Session; shot; esc; click View; shot; esc; click Settings; shot; esc; click Help; shot; esc", {}),
    ("kcalc", "qt5", "kcalc", "wait; shot; click Settings; shot; esc; click Edit; shot; esc", {}),
    ("featherpad", "qt5", "featherpad notes.txt", "wait; shot; click File; shot; esc; click Edit; shot; esc; click Options; shot; click Preferences; wait; shot", {}),
    ("qpdfview", "qt5", "qpdfview", "wait; shot; click File; shot; esc; click Edit; shot; click Settings; wait; shot", {"QT_STYLE_OVERRIDE": "windows"}),
    ("keepassxc", "qt5", "keepassxc", "wait; wait; shot; click No; wait; shot; click Create new database; wait; shot; esc; click Database; shot; esc; "
     "click Tools; shot; click Settings; wait; shot", {}),
    ("lximage-qt", "qt5", "lximage-qt", "wait; shot; click File; shot; esc; click View; shot; esc; click Edit; click Preferences; wait; shot", {"QT_STYLE_OVERRIDE": "adwaita"}),
    ("pcmanfm-qt", "qt5", "pcmanfm-qt .", "wait; shot; click File; shot; esc; click View; shot; esc; click Go; shot; esc; click Edit; click Preferences; wait; shot", {}),
    ("qterminal", "qt5", "qterminal", "wait; shot; click File; shot; esc; click Edit; shot; esc; click View; shot; esc; click File; click Preferences; wait; shot", {"QT_STYLE_OVERRIDE": "adwaita-dark"}),
    ("screengrab", "qt5", "screengrab", "wait; wait; shot; click Options; wait; shot", {}),
    ("qt5ct", "qt5", "qt5ct", "wait; shot; click Fonts; wait; shot; click Interface; wait; shot", {"QT_STYLE_OVERRIDE": ""}),
]
