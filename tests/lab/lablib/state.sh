# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# Run on the host, with $driver (of the GPU) and $server (what draws the desktop): prints KEY=VALUE lines
# about who has the GPU.
gpu=/sys/bus/pci/devices/0000:00:02.0
audio=/sys/bus/pci/devices/0000:00:1b.0

driver_of() {
	basename "$(readlink "$1/driver" || echo none)"
}

framebuffer_console() {
	for c in /sys/class/vtconsole/*; do
		grep -q 'frame buffer' "$c/name" || continue
		if grep -qx 1 "$c/bind"; then echo bound; else echo unbound; fi
		return
	done
	echo none
}

# Processes are slow to start under emulation: what is asked several times is asked for once.
nodes=$(find /proc/[0-9]*/fd \( -lname '/dev/dri/card*' -o -lname '*vfio/[0-9]*' -o -lname '*vfio/devices/*' \) -printf '%p %l\n' 2>/dev/null)
units=$(systemctl list-units --all --plain --no-legend)

# the processes that have one of these nodes open, by name
users_of() {
	echo "$nodes" | grep " $1" | cut -d/ -f3 | sort -u | while read -r pid; do
		cat "/proc/$pid/comm" 2>/dev/null
	done | sort -u | tr '\n' ' ' | sed 's/ $//'
}

yes_no() {
	if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi
}

graphical_sessions() {
	sessions=$(loginctl list-sessions --no-legend | awk '{print $1}')
	# shellcheck disable=SC2086 # a list
	[ -z "$sessions" ] || loginctl show-session $sessions -p Type --value | grep -xE 'x11|wayland|mir' |
		sort | tr '\n' ' ' | sed 's/ $//'
}

# the units in a state, those of a pattern
units() {
	echo "$units" | awk -v state="$1" -v pattern="$2" '$3 == state && $1 ~ pattern {print $1}' |
		sort | tr '\n' ' ' | sed 's/ $//'
}

echo "driver=$(driver_of $gpu)"
echo "override=$(cat $gpu/driver_override)"
echo "audio_driver=$(driver_of $audio)"
echo "audio_depends_on_gpu=$(yes_no test -e $gpu/consumer:pci:0000:00:1b.0)"
echo "card_node=$(yes_no test -e /dev/dri/by-path/pci-0000:00:02.0-card)"
echo "framebuffer_console=$(framebuffer_console)"
# shellcheck disable=SC2154 # given
echo "module=$(if test -e "/sys/module/$driver"; then echo loaded; else echo not loaded; fi)"
echo "graphical_sessions=$(graphical_sessions)"
# shellcheck disable=SC2154 # given
case "$(users_of /dev/dri/card)" in *"$server"*) echo server_on_gpu=yes ;; *) echo server_on_gpu=no ;; esac
echo "vfio_users=$(users_of '.*vfio/\(devices/vfio\)\?[0-9]')"
# shellcheck disable=SC2012 # the names are ours
echo "records=$(ls -A /run/gpu-guest 2>/dev/null | tr '\n' ' ' | sed 's/ $//')"
echo "steps=$(units active '^gpu-guest-.*[.]service$' | sed 's/gpu-guest-\([a-z]*\).service/\1/g; s/ watch//')"
echo "leases=$(units active '^gpu-guest@.*[.]service$' | sed 's/gpu-guest@\([^ ]*\).service/\1/g')"
echo "failed=$(units failed .)"
echo "inhibitors=$(systemd-inhibit --list --no-legend | sed -n 's/^Guest \([^ ]*\).*sleep.*block.*/\1/p' | sort | tr '\n' ' ' | sed 's/ $//')"
# bridges stay with the host
echo "group_drivers=$(for d in "$gpu"/iommu_group/devices/*; do grep -q ^0x06 "$d/class" || driver_of "$d"; done | sort -u | tr '\n' ' ' | sed 's/ $//')"
echo "group_node=$(yes_no test -c "/dev/vfio/$(basename "$(readlink $gpu/iommu_group)")")"
echo "cards=$(find /dev/dri -name 'card*' -printf '%f\n' 2>/dev/null | sort | tr '\n' ' ' | sed 's/ $//')"
echo "sound=$(yes_no grep HDA /proc/asound/cards)"
echo "jobs=$(systemctl list-jobs --no-legend --plain | awk '{print $2}' | tr '\n' ' ' | sed 's/ $//')"
