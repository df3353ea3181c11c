# A form that writes down every click with what it hit: form.tcl LOG [gone]
set log [open [lindex $argv 0] a]
fconfigure $log -buffering line
bind all <ButtonPress> {puts $log "click %W %b"}
wm title . Order
label .lname -text Name
entry .name -width 20 -textvariable name
label .lcount -text Count
spinbox .count -from 0 -to 99 -width 5 -textvariable count
label .lsize -text Size
radiobutton .small -text Small -value small -variable size
radiobutton .large -text Large -value large -variable size
checkbutton .gift -text {As a gift} -variable gift
listbox .list -height 6 -listvariable items -exportselection 0
set items {Apples Bread Cheese Dates Eggs Figs}
button .ok -text Order -command {
    puts $log "done $name|$count|$size|$gift|[.list curselection]"
    exit
}
button .cancel -text Cancel -command {
    puts $log cancelled
    exit
}
set size small
set gift 0
grid .lname .name - -padx 8 -pady 6 -sticky w
grid .lcount .count - -padx 8 -pady 6 -sticky w
grid .lsize .small .large -padx 8 -pady 6 -sticky w
if {[lindex $argv 1] ne {gone}} {
    grid .gift - - -padx 8 -pady 6 -sticky w
}
grid .list - - -padx 8 -pady 6 -sticky w
grid .ok .cancel - -padx 8 -pady 10
