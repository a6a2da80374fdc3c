# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2034
# What the shell of faults.toml can use on the host.
run=/run/lab-faults
hold=/usr/local/lib/lab-faults/hold
hook=/etc/libvirt/hooks/qemu.d/gpu-guest
gpu=/sys/bus/pci/devices/0000:00:02.0

# until COMMAND...: asks until it succeeds, two minutes at most
until_() {
	deadline=$(($(date +%s) + 120))
	until "$@" >/dev/null 2>&1; do
		if [ "$(date +%s)" -gt $deadline ]; then
			echo "not within two minutes: $*" >&2
			return 1
		fi
		sleep 0.2
	done
}

# no step is up, on its way, or asked for
is_idle() {
	up=$(systemctl list-units --plain --no-legend --state=active,activating,deactivating,reloading \
		'gpu-guest-*' 'gpu-guest@*' 'gpu-guest.target') &&
		jobs=$(systemctl list-jobs --plain --no-legend) &&
		[ -z "$up" ] && ! echo "$jobs" | grep -q gpu-guest
}

until_idle() {
	until_ is_idle
}

# the step has been undone, as the journal has it
is_stopped() {
	journalctl -b -o cat -u "$1.service" | grep -q '^Stopped'
}

no_process() {
	! pgrep -x "$1"
}

# kill_process UNIT: one of a service, for which systemd would be too slow to tell its main process
kill_process() {
	read -r pid <"/sys/fs/cgroup/system.slice/$1/cgroup.procs" && kill -KILL "$pid"
}

is_off() {
	up=$(virsh list --name) && ! echo "$up" | grep -qx "$1"
}

destroy_all() {
	virsh list --name | while read -r domain; do
		[ -z "$domain" ] || virsh destroy "$domain"
	done
}

# another domain that wants the GPU
define_second() {
	virsh dumpxml painter >$run/painter.xml
	sed -e '/<uuid>/d' -e 's/<name>painter/&2/' -e 's/painter-serial/painter2-serial/' \
		$run/painter.xml >$run/painter2.xml
	virsh define $run/painter2.xml
}

# drop_in UNIT LINE...: changes how a unit is run
drop_in() {
	mkdir -p "/run/systemd/system/$1.d"
	unit=$1
	shift
	printf '%s\n' '[Service]' "$@" >"/run/systemd/system/$unit.d/fault.conf"
	systemctl daemon-reload
}

# background COMMAND...: for what waits until the hand-over goes on; its words go to the journal, and its
# unit stays when it has failed
background() {
	systemd-run --quiet --unit="lab-fault-$$" "$@"
}

# login_on TTY COMMAND [OPTION]: the user lab logs in there, and the login shell becomes COMMAND. With
# --autologin=lab that is the getty's doing, which does so again.
login_on() {
	# shellcheck disable=SC2016 # for the user's shell
	printf '[ "$(tty)" != /dev/%s ] || exec %s\n' "$1" "$2" >>/home/lab/.profile
	option=${3:-'--skip-login --login-options "-f lab"'}
	restart=$([ $# -gt 2 ] && echo always || echo no)
	drop_in "getty@$1.service" 'ExecStart=' "ExecStart=-/sbin/agetty $option --noclear %I linux" \
		'Type=simple' "Restart=$restart"
	systemctl start "getty@$1.service"
}

# weston_on_tty [OPTION]: a Wayland compositor in front of the desktop, from a login on tty2. It has no input devices
# before its session is the active one, which it asks for after it has looked.
weston_on_tty() {
	login_on tty2 'weston --backend=drm-backend.so --use-pixman --continue-without-input --socket=on-tty' "$@" &&
		until_ test -S /run/user/1000/on-tty && until_ grep -qx tty2 /sys/class/tty/tty0/active
}

# show_desktop: the monitor shows the display manager's session again
show_desktop() {
	loginctl list-sessions --no-legend | while read -r session _; do
		[ "$(loginctl show-session -P Type "$session")" != x11 ] || loginctl activate "$session"
	done
}

# service NODE [OPTION...]: a service of the system that uses a device node
service() {
	node=$1
	shift
	printf '%s\n' '[Service]' "ExecStart=$hold $* $node $run/ready" TimeoutStopSec=10 \
		>/run/systemd/system/holder.service
	systemctl daemon-reload
	systemctl start holder.service
	until_ test -e $run/ready
}

# user_service NODE: the same, of the user manager of lab
user_service() {
	mkdir -p /run/systemd/user
	printf '%s\n' '[Service]' "ExecStart=$hold $1 $run/ready" >/run/systemd/user/holder.service
	systemctl --user --machine=lab@.host daemon-reload
	systemctl --user --machine=lab@.host start holder.service
	until_ test -e $run/ready
}

# process COMMAND...: for prepare-user: a process that outlives the command that started it
process() {
	setsid "$@" </dev/null >/dev/null 2>&1 &
}

# fill_run: no room is left in /run
fill_run() {
	fallocate --length "$(df --output=avail --block-size=1 /run | tail -1)" /run/full
	dd if=/dev/zero of=/run/full-too bs=4k 2>/dev/null || :
}
