#!/bin/sh
# make_assets.sh [outdir] - collect the fonts and words that libscene.so draws
# with: fonts of Debian's fonts-* and xfonts-* packages, wamerican's words.
# Writes outdir/fonts.txt (class weight family file), outdir/words.txt.
set -eu
out=${1:-build/sprout/assets}
tt=/usr/share/fonts/truetype ot=/usr/share/fonts/opentype
mkdir -p "$out"
: > "$out/fonts.txt"

# take class weight family path
take() {
    if [ ! -f "$4" ]; then
        echo "make_assets: no $4" >&2
        return
    fi
    name=$(basename "$4")
    case $name in
    *.gz) name=${name%.gz}; gunzip -c "$4" > "$out/$name" ;;
    *) cp "$4" "$out/$name"; chmod u+w "$out/$name" ;;
    esac
    echo "$1 $2 $3 $name" >> "$out/fonts.txt"
}
# family class family regular bold italic
family() {
    take "$1" 0 "$2" "$3"
    [ -z "${4:-}" ] || take "$1" 1 "$2" "$4"
    [ -z "${5:-}" ] || take "$1" 2 "$2" "$5"
}

d=$tt/dejavu l=$tt/liberation n=$tt/noto o=$tt/open-sans
r=$tt/roboto/unhinted/RobotoTTF a=$tt/lato f=$tt/freefont u=$ot/urw-base35
c=$ot/cantarell
family sans dejavu $d/DejaVuSans.ttf $d/DejaVuSans-Bold.ttf $d/DejaVuSans-Oblique.ttf
family sans dejavucond $d/DejaVuSansCondensed.ttf $d/DejaVuSansCondensed-Bold.ttf
family sans liberation $l/LiberationSans-Regular.ttf $l/LiberationSans-Bold.ttf $l/LiberationSans-Italic.ttf
family sans libnarrow $l/LiberationSansNarrow-Regular.ttf $l/LiberationSansNarrow-Bold.ttf
family sans noto $n/NotoSans-Regular.ttf $n/NotoSans-Bold.ttf $n/NotoSans-Italic.ttf
family sans opensans $o/OpenSans-Regular.ttf $o/OpenSans-Bold.ttf $o/OpenSans-Italic.ttf
family sans opensemi $o/OpenSans-Semibold.ttf $o/OpenSans-ExtraBold.ttf
family sans roboto $r/Roboto-Regular.ttf $r/Roboto-Bold.ttf $r/Roboto-Italic.ttf
family sans robotomed $r/Roboto-Medium.ttf $r/Roboto-Bold.ttf
family sans cantarell $c/Cantarell-Regular.otf $c/Cantarell-Bold.otf
family sans lato $a/Lato-Regular.ttf $a/Lato-Bold.ttf $a/Lato-Italic.ttf
family sans freesans $f/FreeSans.ttf $f/FreeSansBold.ttf $f/FreeSansOblique.ttf
family sans nimbus $u/NimbusSans-Regular.otf $u/NimbusSans-Bold.otf $u/NimbusSans-Italic.otf
family sans gothic $u/URWGothic-Book.otf $u/URWGothic-Demi.otf
family serif dejavuserif $d/DejaVuSerif.ttf $d/DejaVuSerif-Bold.ttf
family serif libserif $l/LiberationSerif-Regular.ttf $l/LiberationSerif-Bold.ttf $l/LiberationSerif-Italic.ttf
family serif notoserif $n/NotoSerif-Regular.ttf $n/NotoSerif-Bold.ttf
family serif roman $u/NimbusRoman-Regular.otf $u/NimbusRoman-Bold.otf
family serif palatino $u/P052-Roman.otf $u/P052-Bold.otf
family serif century $u/C059-Roman.otf $u/C059-Bold.otf
family mono dejavumono $d/DejaVuSansMono.ttf $d/DejaVuSansMono-Bold.ttf
family mono libmono $l/LiberationMono-Regular.ttf $l/LiberationMono-Bold.ttf
family mono freemono $f/FreeMono.ttf $f/FreeMonoBold.ttf
family mono nimbusmono $u/NimbusMonoPS-Regular.otf $u/NimbusMonoPS-Bold.otf

m=/usr/share/fonts/X11/misc h=/usr/share/fonts/X11/75dpi
for s in 6x12 6x13 7x13 7x14 8x13 9x15 10x20; do
    b=
    [ ! -f $m/${s}B-ISO8859-1.pcf.gz ] || b=$m/${s}B-ISO8859-1.pcf.gz
    family bitmap fixed$s $m/$s-ISO8859-1.pcf.gz "$b"
done
for s in 08 10 12 14 18; do
    for k in helv cour tim lub; do
        case $k in
        tim) R=timR B=timB ;;
        lub) R=luRS B=luBS ;;
        *) R=${k}R B=${k}B ;;
        esac
        family bitmap $k$s $h/$R$s-ISO8859-1.pcf.gz $h/$B$s-ISO8859-1.pcf.gz
    done
done

LC_ALL=C grep -E '^[A-Za-z]{2,12}$' /usr/share/dict/words |
    grep -viE 'fuck|shit|cunt|nigg|whore|bitch|slut|rape|porn' > "$out/words.txt"
du -sh "$out"
