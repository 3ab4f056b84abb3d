# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Members meet without a rendezvous: on one LAN, where they met before, and
# through a third one. Drawing: lib.sh.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

# alice and bob behind one router; there is no rendezvous, and no internet.
one_lan() {
	lab_up
	internet
	router nat_a 11 nat
	host alice
	host bob
	plug alice nat_a 2
	plug bob nat_a 3
	founds alice
	joins bob
	ip -n "$LAB-nat_a" link set wan down
}
fast() { # A B: the path was there within a second
	local took
	took=$(of "$1" "$2" .direct_ms)
	say "$1 to $2: $took ms"
	[ "${took%.*}" -le 1000 ] || fail "took too long"
}

case_one_lan_without_internet() {
	one_lan
	meet alice bob
	path alice bob lan
	both_reach alice bob
	fast alice bob
	on bob hptun down
	must 3 no_daemon bob
	on alice hptun down
	must 3 no_daemon alice
	up alice --no-wait
	ups alice
	sleep 1
	up bob --peer alice
	ups bob
	fast bob alice
}

case_one_lan_of_ipv6_alone() {
	# shellcheck disable=SC2034
	FAMILY=6
	one_lan
	meet alice bob
	path alice bob lan
	[ "$(of alice bob .path.family)" = 6 ]
	fast alice bob
	both_reach alice bob
}
