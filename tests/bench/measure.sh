#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# On the lab's host, for tests/bench/handover.
#
#   measure.sh setup PROBES       have the kernel trace what the file of probes says
#   measure.sh run COMMAND...     run a command between two marks, in a new trace
#   measure.sh collect            print the trace, and when the display manager stopped and started
#   measure.sh idle               wait until the machine has nothing to do any more

set -eu

cd /sys/kernel/tracing

# jiffies: in all, and without work
jiffies() {
	awk '/^cpu / { for (i = 2; i <= NF; i++) all += $i; print all, $5 + $6 }' /proc/stat
}

# nine tenths of two seconds
idle() {
	for _ in $(seq 30); do
		before=$(jiffies)
		sleep 2
		echo "$before" "$(jiffies)" | awk '{ exit !($4 - $2 > 0.9 * ($3 - $1)) }' && return
	done
	echo "The machine does not become idle." >&2
	return 1
}

case $1 in
setup)
	echo mono >trace_clock
	echo 8192 >buffer_size_kb
	[ ! -e events/bench ] || echo 0 >events/bench/enable
	cat "$2" >kprobe_events
	echo 1 >events/bench/enable
	;;
run)
	shift
	echo >trace
	echo begin >trace_marker
	"$@"
	echo end >trace_marker
	;;
collect)
	cat trace
	systemctl show display-manager.service --property=ActiveExitTimestampMonotonic,InactiveEnterTimestampMonotonic,InactiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic
	;;
idle) idle ;;
esac
