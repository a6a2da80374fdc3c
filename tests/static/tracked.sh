# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# For the checks: sourced with the top of the tree in $1, and goes there.

top=$1
cd "$top" || exit 1

skip() {
	echo "SKIPPED: $*" >&2
	exit 77
}

need() {
	for program; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

# Git's files of these patterns ("*" is all), those that are deleted in the work tree aside. The tree may
# belong to somebody else than who runs the tests.
tracked() {
	git -c safe.directory='*' ls-files -- "$@" | while read -r file; do
		[ ! -f "$file" ] || echo "$file"
	done
}

# Of all files those whose first line matches.
with_first_line() {
	# shellcheck disable=SC2016 # awk's $0
	tracked '*' | xargs -d '\n' awk -v first="$1" 'FNR == 1 && $0 ~ first { print FILENAME } { nextfile }'
}

need git
git -c safe.directory='*' rev-parse --git-dir >/dev/null 2>&1 ||
	skip "this is no checkout of git, which is asked which files there are"
