# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# A member relays between two others: alice and bob sit behind routers that give
# each flow a fresh port, and may not guess those; carol is public; the
# rendezvous is gone. Drawing: lib.sh.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

sets() { # HOST LINE
	on "$1" sed -i "/^Device/a $2" /etc/hptun/home/network.conf
}

# three_members LINE: of carol's network.conf. All know each other's names, alice
# and bob have no session.
three_members() {
	local h
	lab_up
	two_sites random random
	host carol
	attach carol 23
	rendezvous
	founds alice
	joins bob
	joins carol
	for h in alice bob; do sets $h "Methods = all, -predict, -birthday"; done
	sets carol "$1"
	up carol --no-wait
	up alice --peer carol
	up bob --peer carol
	ups alice bob carol
	path alice carol direct
	path bob carol direct
	stop s rendezvous KILL
}
relayed_by() { is "$1" "$2" .path.kind relayed && is "$1" "$2" .path.via "$3"; }

# What carol passes on is nothing that she could read: a pattern in pings.
not_readable_by() { # HOST
	start "$1" dump tcpdump -n -l -x -i wan udp
	must 5 grep -q listening "$LAB_DIR/$1-dump.log"
	on alice ping -q -c 20 -i 0.05 -s 400 -p 68697070 "$(overlay bob)" |
		grep -q ' 0% packet loss' || fail "pings were lost"
	stop "$1" dump
	[ "$(log "$1" dump | grep -c '6870 0180')" -ge 40 ] ||
		fail "the pings did not pass $1"
	! log "$1" dump | grep -q '6869 7070 6869 7070' ||
		fail "$1 sees what is inside"
}

case_relayed_by_a_member() {
	need iperf3 tcpdump
	three_members "AllowRelay = 4M"
	up alice --peer bob
	ups alice
	must 10 relayed_by alice bob carol
	must 10 relayed_by bob alice carol
	say "after $(of alice bob .session_ms) ms"
	both_reach alice bob
	not_readable_by carol
	[ "$(ask carol .relaying.pairs)" = 1 ] || fail "not one pair"
	[ "$(ask carol .relaying.limit_bps)" = 4000000 ] || fail "the limit"
	on carol hptunctl status | grep '^relaying .* 1 pair .* 4 Mbit/s'
	# Twice as much as is allowed.
	start bob iperf iperf3 -s -1
	must 5 on bob ss -Hltn 'sport = :5201'
	on alice iperf3 -c "$(overlay bob)" -u -b 8M -l 1200 -t 4 -J \
		>"$LAB_DIR/iperf.json"
	jq '.end.sum | {bits_per_second, lost_percent}' "$LAB_DIR/iperf.json"
	[ "$(jq '.end.sum.lost_percent > 30 and .end.sum.lost_percent < 75' \
		"$LAB_DIR/iperf.json")" = true ] || fail "the limit does not hold"
	[ "$(ask carol .relaying.dropped)" -gt 100 ] || fail "no drops counted"
	both_reach alice bob
}

case_nobody_relays_unasked() {
	three_members "AllowRelay = no"
	on alice hptun up --peer bob --timeout 4 &&
		fail "they met, though carol does not relay"
	[ "$(ask carol .relaying)" = null ] || fail "carol relays"
	on alice hptunctl doctor bob --timeout 1 >"$LAB_DIR/doctor.log" || true
	grep -A 3 'carol, which we reach directly, could' "$LAB_DIR/doctor.log"
}
