# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# What cases of a whole network share: its rendezvous, its members, and the
# questions asked of them. No case of its own.

listening() { on "$1" ss -Hlun "sport = :$2" | grep -q .; }

# rendezvous [OPTION...]: the server on s, answering.
# shellcheck disable=SC2120
rendezvous() {
	start s rendezvous hptun-rendezvous "$@"
	must 5 listening s 8888
}

founds() { on "$1" hptun init --name "$1" --rendezvous s.example.net; }
joins() { # NEWCOMER [INVITED-BY]
	local token
	token=$(on "${2:-alice}" hptun invite "$1" |
		grep -o 'hptun1:[A-Za-z0-9_-]*')
	on "$1" hptun join "$token"
}

# membership: their network, once alice and bob are plugged in.
membership() {
	rendezvous
	founds alice
	joins bob
}

# two_members [KIND KIND]: alice and bob behind their routers, set up, not up.
# shellcheck disable=SC2120
two_members() {
	lab_up
	two_sites "${1:-nat}" "${2:-nat}"
	membership
}

# up HOST [ARG...]: `hptun up` begins there; ups HOST...: they have ended well.
up() { start "$1" up hptun up "${@:2}"; }
ups() {
	local h code
	for h; do
		code=0
		wait "$(job "$h" up)" || code=$?
		[ "$code" = 0 ] || {
			log "$h" up
			fail "hptun up on $h ended with $code"
		}
	done
}
# meet A B: both come up at the same moment.
meet() {
	up "$1" --peer "$2"
	up "$2" --peer "$1"
	ups "$1" "$2"
}

# ask HOST FILTER: of its status. of HOST PEER FIELD: one field of a peer.
ask() { on "$1" hptunctl status --json | jq -r "$2"; }
of() { ask "$1" ".peers[] | select(.name == \"$2\") | $3"; }
is() { [ "$(of "$1" "$2" "$3")" = "$4" ]; }
overlay() { ask "$1" ".addresses[] | select(contains(\"${2:-.}\"))"; }

# path A B KIND: both have that kind of path to each other, at once or soon.
path() {
	must 10 is "$1" "$2" .path.kind "$3"
	must 10 is "$2" "$1" .path.kind "$3"
}

reaches() { # A B: over IPv4 and IPv6, 3 of 3
	local addr
	for addr in $(ask "$2" '.addresses[]'); do
		on "$1" ping -q -c 3 -i 0.2 -W 2 "$addr" |
			grep -q ' 0% packet loss' ||
			fail "$1 does not reach $2 by $addr"
	done
}
both_reach() { reaches "$1" "$2"; reaches "$2" "$1"; }

# diagnosed HOST PEER: what `hptunctl doctor` names as the main cause, in the
# word for programs, and the kind of path there is; then its reason.
diagnosed() {
	{ on "$1" hptunctl doctor "$2" --json || true; } |
		jq -r '"\(.cause) \(.path.kind // "none")", .why'
}
calls() { [[ "$(diagnosed "$1" "$2")" == "$3"* ]]; }

# tells HOST PEER CAUSE [KIND]: that is named, and stays named; a connection may
# need a while to settle.
tells() {
	local words="$3${4:+ $4}"
	within 20 calls "$1" "$2" "$words" || {
		on "$1" hptunctl doctor "$2" || true
		fail "$1 asked about $2: $(diagnosed "$1" "$2"), not $words"
	}
	[ "$3" = direct ] || { sleep 1; must 1 calls "$1" "$2" "$words"; }
	say "$1 about $2: $(diagnosed "$1" "$2" | paste -sd :)"
}
# both_tell CAUSE [CAUSE-AT-BOB [KIND]]
both_tell() {
	tells alice bob "$1" "${3:-}" &
	tells bob alice "${2:-$1}" "${3:-}"
	wait $!
}

# told KIND [CAUSE [CAUSE-AT-BOB]]: alice and bob have that kind of path, and
# reach each other; the doctor of either knows, and why it is not a better one.
told() {
	path alice bob "$1"
	both_reach alice bob
	both_tell "${2:-direct}" "${3:-}" "$1"
}

# not_by_the_rendezvous A B: a burst of pings leaves its counters alone.
not_by_the_rendezvous() {
	local n
	n=$(bytes s eth0)
	on "$1" ping -q -c 100 -i 0.01 -s 1200 "$(overlay "$2")" >/dev/null
	n=$(($(bytes s eth0) - n))
	[ "$n" -lt 20000 ] || fail "the rendezvous saw $n bytes"
}

daemon_of() { # HOST: pid of its hptund
	local p
	for p in $(ip netns pids "$LAB-$1"); do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" != hptund ] || echo "$p"
	done
}
no_daemon() { [ -z "$(daemon_of "$1")" ]; }
# crash HOST: its hptund is killed, and gone once the kernel took its device.
crash() {
	kill -KILL "$(daemon_of "$1")"
	must 3 no_daemon "$1"
	must 3 no_device "$1"
}
no_device() { ! ip -n "$LAB-$1" link show dev hptun0; }

# A running ping and what an accident does to it:
#	watch A B N; accident; longest A 3
watched() { # FROM TO N: N pings, 10 a second
	start "$1" watch ping -D -i 0.1 -c "$3" -W 1 "$(overlay "$2")"
	sleep 1
}
ended() { ! kill -0 "$1"; }
replies() { log "$1" watch | grep -c ' bytes from '; }
# longest FROM SECONDS: no silence was longer, the end's included.
longest() {
	local gap last
	must 60 ended "$(job "$1" watch)"
	log "$1" watch | grep -q 'packets transmitted' ||
		fail "the ping broke off"
	gap=$(log "$1" watch | tr -d '[]' | awk '/ bytes from / {
		if (last && $1 - last > gap) gap = $1 - last; last = $1
	} END { printf "%d", gap * 1000 }')
	last=$(log "$1" watch | sed -n 's/.*icmp_seq=\([0-9]*\).*/\1/p' | tail -n 1)
	say "longest silence $gap ms, last reply to packet ${last:-none}"
	[ "${last:-0}" -ge "$(($(log "$1" watch | awk '
		/packets transmitted/ { print $1 }') - 5))" ] ||
		fail "it never came back"
	[ "$gap" -le $(($2 * 1000)) ] || fail "silent for more than $2 s"
}
