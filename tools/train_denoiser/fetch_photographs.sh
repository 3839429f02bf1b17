#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# fetch_photographs.sh FOLDER: the photographs that the shipped weights were trained on, from packages of Debian 12.
# Makes FOLDER/photographs (for --photographs) and FOLDER/validation (for --validation); keeps downloads in
# FOLDER/packages and the copyright files in FOLDER/copyright. Needs apt-get, dpkg-deb, unzip and pip3.
# Licences: docs/reference/weights.md. Pictures chosen by eye: photographs only, none that the project tests with.
set -eu

if [ $# -ne 1 ]; then
  echo "usage: $0 FOLDER" >&2
  exit 2
fi
mkdir -p "$1/packages" "$1/photographs" "$1/validation" "$1/copyright"
folder=$(cd "$1" && pwd)
unpacked="$folder/packages/unpacked"

# debian PACKAGE: downloads and unpacks it.
debian() {
  cd "$folder/packages"
  set -- "$1" "$1"_*.deb
  [ -e "$2" ] || apt-get download "$1"
  mkdir -p "$unpacked/$1"
  dpkg-deb -x "$1"_*.deb "$unpacked/$1"
  cp "$unpacked/$1/usr/share/doc/$1/copyright" "$folder/copyright/$1"
}

# take PACKAGE PLACE NAME...: copies photographs.
take() {
  from="$unpacked/$1/usr/share/$2"
  shift 2
  for name in "$@"; do
    cp "$from/$name" "$folder/photographs/"
  done
}

debian mate-backgrounds
take mate-backgrounds backgrounds/mate/nature Aqua.jpg Blinds.jpg Dune.jpg FreshFlower.jpg GreenMeadow.jpg LadyBird.jpg \
  RainDrops.jpg Storm.jpg TwoWings.jpg Wood.jpg YellowFlower.jpg # not Garden.jpg: the tests' picture

debian lomiri-wallpapers-16.04
take lomiri-wallpapers-16.04 backgrounds Bridge_by_Sander_Klootwijk.jpg Dragonfly_by_Bolly.jpg Picture_0B_by_freespace.jpg \
  Picture_1A_by_freespace.jpg Wine_by_Jakkub_Mede.jpg aitzgorri_by_Aitzol_Berasategi.jpg friends_by_Aitzol_Berasategi.jpg \
  greentock_by_Peter_Nerlich.jpg life_by_Aitzol_Berasategi.jpg picosdeeuropa_by_Aitzol_Berasategi.jpg \
  seeding_by_Clements_Engelhardt.jpg sunset_by_Aitzol_Berasategi.jpg

debian lomiri-wallpapers-20.04
take lomiri-wallpapers-20.04 backgrounds Kleiber_by_Lukas_Baubkus.jpg

debian lxqt-themes
take lxqt-themes lxqt/wallpapers Valendas.png after-the-rain.jpg appleflower.png butterfly.png cloud.png drop.png \
  flowers.png fog.jpg this-is-not-windows.jpg

debian plasma-workspace-wallpapers
for name in BytheWater ColdRipple ColorfulCups DarkestHour EveningGlow FallenLeaf Grey Kite OneStandsOut Path summer_1am; do
  cp "$unpacked/plasma-workspace-wallpapers/usr/share/wallpapers/$name/contents/images/2560x1600.jpg" \
    "$folder/photographs/$name.jpg"
done

debian palapeli-data
take palapeli-data palapeli/collection cincinnati-bridge.jpg citrus-fruits.jpg european-honey-bee.jpg \
  panther-chameleon-female.jpg
cp "$unpacked/palapeli-data/usr/share/palapeli/collection/castle-maintenon.jpg" "$folder/validation/"

debian stellarium-data
take stellarium-data stellarium/landscapes garching/garching-gl1.png garching/garching-gl2.png garching/garching-gl3.png \
  garching/garching-gl4.png hurricane/hurricane1.png hurricane/hurricane2.png hurricane/hurricane6.png guereins/guereins8.png

debian python3-skimage
for name in chelsea.png coffee.png; do
  cp "$unpacked/python3-skimage/usr/lib/python3/dist-packages/skimage/data/$name" "$folder/photographs/"
done

# The photograph kodim23, and networks to compare with.
cd "$folder/packages"
[ -e scico-*.whl ] || pip3 download --quiet --no-deps scico
unzip -qo scico-*.whl 'scico/data/*' -d "$unpacked"
cp "$unpacked/scico/data/examples/kodim23.png" "$folder/validation/"

echo "$(ls "$folder/photographs" | wc -l) photographs in $folder/photographs"
