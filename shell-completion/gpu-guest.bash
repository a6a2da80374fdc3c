# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash

# One candidate per line. "compgen -W" would expand them, and a domain's name may be "$(reboot)".
_gpu_guest_candidates() {
	local verb='' word

	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $word == -* ]] || verb=${verb:-$word}
	done

	if [[ ${COMP_WORDS[COMP_CWORD]} == -* ]]; then
		printf '%s\n' --help --version --json --follow
	elif [[ -z $verb ]]; then
		printf '%s\n' check report return status try
	elif [[ ${COMP_WORDS[COMP_CWORD - 1]} != "$verb" ]]; then
		return
	elif [[ $verb == check || $verb == report ]]; then
		virsh --quiet --readonly --connect=qemu:///system list --all --name 2>/dev/null
	elif [[ $verb == try ]]; then
		printf '%s\n' 10s 30s 1min 5min
	fi
}

_gpu_guest() {
	local word

	COMPREPLY=()
	while IFS= read -r word; do
		[[ -z $word || $word != "${COMP_WORDS[COMP_CWORD]}"* ]] ||
			COMPREPLY+=("$(printf '%q' "$word")")
	done < <(_gpu_guest_candidates)
}

complete -F _gpu_guest gpu-guest
