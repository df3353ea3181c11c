# Run by wish before a Tk program: tells its widgets like xt_dump.c does.
# wish tk_dump.tcl PROGRAM ARGUMENTS...

proc dump_line {out kind in_popup x0 y0 x1 y1 on label} {
    if {$label ne "" && ![regexp {[\t\n]} $label]} {
        puts $out "$kind\tTk\t$in_popup\t$x0\t$y0\t$x1\t$y1\t$on\t$label"
    }
}

# Entries of a menu bar: which one is at each x; of a posted menu: their yposition.
proc dump_menu {out w} {
    set x [winfo rootx $w]; set y [winfo rooty $w]
    set last [$w index end]
    if {$last eq "none"} return
    if {[$w cget -type] eq "menubar"} {
        array set lo {}
        for {set px 1} {$px < [winfo width $w]} {incr px} {
            set i [$w index @$px,[expr {[winfo height $w] / 2}]]
            if {$i eq "none"} continue
            if {![info exists lo($i)]} {set lo($i) $px}
            set hi($i) $px
        }
        foreach i [array names lo] {
            if {[$w type $i] eq "separator"} continue
            set label [$w entrycget $i -label]
            set wide [expr {$lo($i) + [font measure [$w cget -font] $label] + 26}]
            set right [expr {$hi($i) < $wide ? $hi($i) : $wide}]
            dump_line $out menu 0 [expr {$x + $lo($i)}] $y [expr {$x + $right}] [expr {$y + [winfo height $w]}] 0 $label
        }
        return
    }
    for {set i 0} {$i <= $last} {incr i} {
        if {[$w type $i] in {separator tearoff}} continue
        set y0 [$w yposition $i]
        set y1 [expr {$i < $last ? [$w yposition [expr {$i + 1}]] : [winfo height $w] - 2}]
        dump_line $out menu_item 1 [expr {$x + 1}] [expr {$y + $y0}] [expr {$x + [winfo width $w] - 1}] [expr {$y + $y1}] 0 [$w entrycget $i -label]
    }
}

proc dump_widget {out w} {
    set class [winfo class $w]
    if {[winfo viewable $w]} {
        set x [winfo rootx $w]; set y [winfo rooty $w]
        set x1 [expr {$x + [winfo width $w]}]; set y1 [expr {$y + [winfo height $w]}]
        set kind [dict get [dict merge [dict create $class ""] {Button button TButton button Checkbutton check TCheckbutton check Radiobutton radio
            TRadiobutton radio Menubutton menu TMenubutton menu Label text TLabel text Labelframe "" Menu popup}] $class]
        if {$kind eq "popup"} {
            dump_menu $out $w
        } elseif {$kind ne ""} {
            set label [$w cget -text]
            catch {if {[$w cget -textvariable] ne ""} {set label [set ::[string trimleft [$w cget -textvariable] :]]}}
            set pictured 0
            catch {set pictured [expr {[$w cget -image] ne "" && [$w cget -compound] in {none ""}}]}
            catch {if {[$w cget -bitmap] ne ""} {set pictured 1}}
            if {!$pictured} {dump_line $out $kind 0 $x $y $x1 $y1 0 $label}
        }
    }
    foreach child [winfo children $w] {dump_widget $out $child}
}

proc dump_poll {} {
    if {[file exists $::env(DUMP_ASK)]} {
        set out [open $::env(DUMP_OUT).part w]
        catch {dump_widget $out .} trouble
        close $out
        file delete $::env(DUMP_ASK)
        file rename -force $::env(DUMP_OUT).part $::env(DUMP_OUT)
    }
    after 150 dump_poll
}

after 500 dump_poll
if {[info exists argv] && [llength $argv]} {
    set argv0 [lindex $argv 0]
    set argv [lrange $argv 1 end]
    set argc [llength $argv]
    source $argv0
}
