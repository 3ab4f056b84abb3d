# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# The lab checks itself: a NAT that is not what it claims makes every other
# case worthless. Drawing: lib.sh.

# What a UDP listener on s or bob hears of a packet sent by alice from one
# socket: its own address and port as the other end sees them.
seen_from() { # HOST PORT: listens there, answers with the source it saw
	start "$1" "seen$2" socat -T 5 "UDP4-RECVFROM:$2,fork" \
		SYSTEM:"echo \$SOCAT_PEERADDR/\$SOCAT_PEERPORT"
	must 3 udp_listens "$1" "$2"
}
udp_listens() { on "$1" ss -Hlun "sport = :$2" | grep -q .; }
# ask HOST PORT ADDR:PORT: sends one packet from PORT, prints the answer.
ask() {
	echo hello | on "$1" socat -t 0.5 - \
		"UDP4:$3,bind=:$2,reuseaddr" 2>/dev/null || true
}
# answer HOST PORT ADDR:PORT: the same, for an answer that must come.
answer() {
	local i out=""
	for ((i = 0; i < 6; i++)); do
		out=$(ask "$@")
		[ -z "$out" ] || break
	done
	say "$out"
}

case_nat_keeps_the_port() {
	need socat
	lab_up
	two_sites nat nat
	seen_from s 7001
	seen_from s 7002
	[ "$(answer alice 4001 203.0.113.1:7001)" = 203.0.113.11/4001 ]
	[ "$(answer alice 4001 203.0.113.1:7002)" = 203.0.113.11/4001 ]
	[ "$(answer bob 4001 203.0.113.1:7001)" = 203.0.113.12/4001 ]
}

case_random_nat_has_a_port_for_each_destination() {
	need socat
	lab_up
	two_sites random random
	seen_from s 7001
	seen_from s 7002
	local a b
	a=$(answer alice 4001 203.0.113.1:7001)
	b=$(answer alice 4001 203.0.113.1:7002)
	say "$a $b"
	[ "${a%/*}" = 203.0.113.11 ] && [ "${b%/*}" = 203.0.113.11 ]
	[ "$a" != "$b" ]
	[ "$(answer alice 4001 203.0.113.1:7001)" = "$a" ]
}

# Until alice has sent to bob's NAT, nothing from there reaches her; then it
# does, which is what a hole is.
case_routers_drop_what_nobody_asked_for() {
	need socat tcpdump
	lab_up
	two_sites nat nat
	start alice dump tcpdump -lni eth0 udp and dst port 4001
	must 5 grep -q listening "$LAB_DIR/alice-dump.log"
	[ -z "$(ask bob 4001 203.0.113.11:4001)" ]
	! log alice dump | grep -q 203.0.113.12 || fail "a packet came in"
	[ -z "$(on nat_a conntrack -L -p udp 2>/dev/null)" ] ||
		fail "a dropped packet left an entry"
	on nat_a nft flush chain inet router input
	ask alice 4001 203.0.113.12:4001
	ask bob 4001 203.0.113.11:4001
	must 2 grep -q 'IP 203.0.113.12.4001 > 192.168.11.2.4001' \
		"$LAB_DIR/alice-dump.log"
}

# The trap: bob's packet comes first, the open router makes an entry for it,
# and alice's own packet to bob leaves by another port.
case_open_router_can_be_poisoned() {
	need socat
	lab_up
	two_sites open open
	seen_from s 7001
	ask bob 4001 203.0.113.11:4001
	on nat_a conntrack -L -p udp 2>/dev/null | grep -q 'dport=4001' ||
		fail "the unsolicited packet left no entry"
	ask alice 4001 203.0.113.12:4001
	on nat_a conntrack -L -p udp 2>/dev/null |
		grep 'src=192.168.11.2 dst=203.0.113.12' >"$LAB_DIR/flow"
	cat "$LAB_DIR/flow"
	! grep -q 'dst=203.0.113.11 sport=4001 dport=4001' "$LAB_DIR/flow" ||
		fail "alice kept her port: no trap here"
}

case_low_ttl_dies_between_the_routers() {
	lab_up
	two_sites open open
	on alice ping -c 1 -W 2 -t 4 203.0.113.12 | grep -q 'Time to live'
	on alice ping -c 1 -W 2 -t 5 203.0.113.12 | grep -q ' 0% packet loss'
}

case_ipv6_is_routed_behind_stateful_routers() {
	# shellcheck disable=SC2034
	FAMILY=6
	lab_up
	two_sites nat nat
	on alice ping -c 1 -W 2 2001:db8::1
	! on s ping -c 1 -W 1 2001:db8:11::2 || fail "an echo came in"
	! on alice ping -c 1 -W 1 203.0.113.1 || fail "IPv4 works"
}

case_loss_is_lossy() {
	need socat
	lab_up
	two_sites nat nat
	seen_from s 7001
	loss 100
	[ -z "$(ask alice 4001 203.0.113.1:7001)" ]
	loss 0
	[ -n "$(answer alice 4001 203.0.113.1:7001)" ]
}

# A host's /etc, /run and /var/lib are its own; the machine's stay clean.
case_hosts_share_no_files() {
	lab_up
	two_sites nat nat
	on alice mkdir -p /etc/hptun/x /run/hptun/x /var/lib/hptun/x
	! on bob test -e /etc/hptun/x || fail "bob sees alice's /etc/hptun"
	! on bob test -e /run/hptun/x || fail "bob sees alice's /run/hptun"
	! test -e /etc/hptun/x || fail "the machine sees alice's /etc/hptun"
	[ "$(on alice hostname)" = alice ]
	[ "$(on bob getent ahostsv4 s.example.net | awk 'NR==1{print $1}')" \
		= 203.0.113.1 ]
}

# A lab whose shell was killed leaves namespaces and processes behind; the
# next one removes them.
case_next_lab_sweeps_a_dead_one() {
	bash -c ". '$TOP/tests/lab/lib.sh'; lab_up; internet; start s x sleep 99
		kill -9 \$\$" || true
	[ -n "$(lab_dead)" ] || fail "nothing was left behind"
	lab_up
	must 5 none_dead	# another lab may be sweeping it now
}
none_dead() { [ -z "$(lab_dead)" ]; }
