# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# hptun echo: a hole for lines of text, without TUN device or daemon. Drawing:
# lib.sh.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

# echoes HOST ARG...: hptun echo there, its keyboard a file; types HOST LINE.
echoes() {
	on "$1" sh -c ': >/run/keys; chmod 644 /run/keys'
	start "$1" echo sh -c "tail -n +1 -f /run/keys |
		setpriv --reuid ${AS:-0} --regid ${AS:-0} --clear-groups \
		hptun echo ${*:2}"
}
types() { on "$1" sh -c "echo '$2' >>/run/keys"; }
hears() { must "$2" grep -qiE -- "$3" "$LAB_DIR/$1-echo.log"; }

# Two strangers, no network, no root.
case_strangers_in_a_room() {
	lab_up
	two_sites nat nat
	rendezvous
	local AS=65534
	echoes alice --rendezvous s.example.net --room sesame
	echoes bob --rendezvous s.example.net --room sesame
	hears alice 15 direct
	hears bob 15 direct
	types alice "can you hear me"
	hears alice 5 "can you hear me"
	types bob "yes indeed"
	hears bob 5 "yes indeed"
	types alice exit
	must 5 no_echo alice
}
no_echo() {
	local p
	for p in $(ip netns pids "$LAB-$1"); do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" != hptun ] || return 1
	done
}

case_members() {
	two_members nat nat
	echoes bob
	echoes alice --peer bob
	hears alice 15 direct
	types alice "over the hole"
	hears alice 5 "over the hole"
}

# The same word opens no door in another room.
case_other_words_are_other_rooms() {
	lab_up
	two_sites nat nat
	rendezvous
	echoes alice --rendezvous s.example.net --room sesame
	echoes bob --rendezvous s.example.net --room simsim
	hears alice 10 registered
	hears bob 10 registered
	sleep 2
	! grep -qiE 'direct|relayed' "$LAB_DIR/alice-echo.log" ||
		fail "they met"
}
