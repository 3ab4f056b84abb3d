# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Members meet without a rendezvous: on one LAN, where they met before, and
# through a third one. Drawing: lib.sh.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

# alice and bob behind one router; there is no rendezvous, and no internet.
lonely_lan() {
	lab_up
	one_lan nat
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
	lonely_lan
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
	lonely_lan
	meet alice bob
	path alice bob lan
	[ "$(of alice bob .path.family)" = 6 ]
	fast alice bob
	both_reach alice bob
}

# A cable between two hosts, and nobody who gives addresses.
case_link_local_addresses_alone() {
	# shellcheck disable=SC2034
	FAMILY=6
	lonely_lan
	ip -n "$LAB-alice" -6 addr flush dev eth0 scope global
	ip -n "$LAB-bob" -6 addr flush dev eth0 scope global
	meet alice bob
	path alice bob lan
	of alice bob .path.remote | grep -q '^\[fe80:.*%'
	fast alice bob
	both_reach alice bob
	# A LAN that comes later is called as soon as it is there.
	on bob hptun down
	must 3 no_daemon bob
	ip -n "$LAB-bob" link set eth0 down
	up bob --peer alice
	sleep 2
	ip -n "$LAB-bob" link set eth0 up
	ups bob
	path alice bob lan
}

# It neither calls nor hears when it is told not to.
case_no_beacon_no_meeting() {
	lonely_lan
	on bob sed -i '/^Device/a Beacon = no' /etc/hptun/home/network.conf
	up alice --no-wait
	up bob --no-wait
	ups alice bob
	on alice hptun up --peer bob --timeout 3 &&
		fail "they met, though bob has no beacon"
	[ "$(on bob ss -Hlun 'sport = :8890' | wc -l)" = 0 ]
}

# The rendezvous is gone for good; what alice wrote down is enough, behind two
# NATs that let in whom the other side calls.
case_restarted_after_the_rendezvous_has_gone() {
	two_members
	meet alice bob
	path alice bob direct
	stop s rendezvous KILL
	on alice hptun down
	must 3 no_daemon alice
	on alice test -s /var/lib/hptun/home/cache
	up alice --peer bob
	ups alice
	path alice bob direct
	say "after $(of alice bob .direct_ms) ms"
	both_reach alice bob
}

# A cache that is no good is one line in the log.
case_a_damaged_cache_is_passed_over() {
	two_members
	meet alice bob
	path alice bob direct
	on alice hptun down
	must 3 no_daemon alice
	on alice test -s /var/lib/hptun/home/cache
	on alice sh -c 'echo rubbish >>/var/lib/hptun/home/cache'
	start alice daemon hptund --foreground --all --network home
	path alice bob direct
	[ "$(log alice daemon | grep -c /cache)" = 1 ]
}

# alice and carol both know bob, and nobody else is there to ask.
case_introduced_by_a_third_member() {
	two_members
	router nat_c 13 nat
	host carol
	plug carol nat_c 2
	joins carol
	up bob --no-wait
	ups bob
	up alice --peer bob
	up carol --peer bob
	ups alice carol
	path alice bob direct
	path carol bob direct
	stop s rendezvous KILL
	up alice --peer carol
	ups alice
	path alice carol direct
	say "after $(of alice carol .direct_ms) ms"
	both_reach alice carol
}
