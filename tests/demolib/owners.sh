# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Tells who has what, ten times a second, until standard input ends: what a story.Change is made of.
# Only what bash does by itself: a program each time would take a part of an emulated processor.

shopt -s nullglob
LC_ALL=C

driver_of() {
	local path
	REPLY=
	for path in /sys/bus/pci/drivers/*/"$1"; do
		path=${path%/*}
		REPLY=${path##*/}
	done
}

console() {
	local path bound name
	REPLY=
	for path in /sys/class/vtconsole/*; do
		read -r bound 2>/dev/null <"$path/bind"
		read -r name 2>/dev/null <"$path/name"
		[[ $bound != 1 || $name != *'frame buffer'* ]] || REPLY='the framebuffer'
	done
}

# The first of these directories' names, without what is around it
first_of() {
	REPLY=${1-}
	REPLY=${REPLY##*/}
	REPLY=${REPLY##*x2d}
	REPLY=${REPLY%.*}
}

while :; do
	driver_of 0000:00:02.0
	line=$EPOCHREALTIME$'\t'$REPLY
	driver_of 0000:00:1b.0
	line+=$'\t'$REPLY
	console
	line+=$'\t'$REPLY
	first_of /sys/fs/cgroup/system.slice/lightdm.service
	[[ -d /sys/fs/cgroup/system.slice/lightdm.service ]] || REPLY=
	line+=$'\t'$REPLY
	first_of /sys/fs/cgroup/machine.slice/machine-qemu*.scope
	printf '%s\n' "$line"$'\t'"$REPLY"
	# that nothing came within the time is a status of more than 128, and the end one of 1
	read -r -t 0.1 || (($? > 128)) || exit 0
done
