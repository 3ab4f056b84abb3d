# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# A network with three rendezvous servers: one was never there, one dies.
# alice and bob are behind NATs that cannot be punched, so that a server carries
# all they say. Drawing: lib.sh; besides, host s2, 203.0.113.23.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

DEAD=203.0.113.99
SECOND=203.0.113.23

second() {
	start s2 rendezvous hptun-rendezvous
	must 5 listening s2 8888
}
# three_servers KIND: alice and bob are set up, behind that kind of NAT.
three_servers() {
	lab_up
	two_sites "$1" "$1"
	host s2
	attach s2 23
	rendezvous
	second
	on alice hptun init --name alice --rendezvous $DEAD \
		--rendezvous s.example.net --rendezvous $SECOND
	joins bob
}
state() { # HOST N: of its N-th server
	ask "$1" ".rendezvous[$2].state"
}
state_is() { [ "$(state "$1" "$2")" = "$3" ]; }
dead() { [ "$(state "$1" "$2")" != registered ]; }
# Which of the two servers carries what alice says to bob, and how to end it.
carrier() {
	case $(of alice bob .path.remote) in
	203.0.113.1:*) echo s 1 2 ;;
	$SECOND:*) echo s2 2 1 ;;
	*) fail "nobody relays" ;;
	esac
}

case_relay_goes_on_when_its_server_dies() {
	local server n left
	three_servers random
	meet alice bob
	must 5 is alice bob .path.kind relayed
	must 5 state_is alice 1 registered
	must 5 state_is alice 2 registered
	dead alice 0
	read -r server n left <<<"$(carrier)"
	watched alice bob 90
	stop "$server" rendezvous KILL
	longest alice 5
	both_reach alice bob
	must 10 dead alice "$n"
	state_is alice "$left" registered
	on alice hptunctl status
}

# Who comes when one server alone is left meets all the same.
case_introduced_by_the_last_server() {
	three_servers nat
	meet alice bob
	path alice bob direct
	stop s rendezvous KILL
	router nat_c 13 nat
	host carol
	plug carol nat_c 2
	joins carol
	up carol --peer alice
	ups carol
	path alice carol direct
	say "with one server of three: $(of carol alice .direct_ms) ms"
	dead carol 0
	dead carol 1
	state_is carol 2 registered
}

# Printed, not judged: what a dead server costs who connects.
case_a_dead_server_costs_no_waiting() {
	local with without
	three_servers nat
	meet alice bob
	path alice bob direct
	with=$(of alice bob .direct_ms)
	on alice hptun down
	on bob hptun down
	must 3 no_daemon alice
	must 3 no_daemon bob
	on alice sed -i "/$DEAD/d" /etc/hptun/home/network.conf
	on bob sed -i "/$DEAD/d" /etc/hptun/home/network.conf
	[ "$(on alice grep -c ^Rendezvous /etc/hptun/home/network.conf)" = 2 ]
	meet alice bob
	path alice bob direct
	without=$(of alice bob .direct_ms)
	say "direct after $with ms with a dead server, $without ms without"
	[ "${with%.*}" -le 1000 ] || fail "that is waiting"
}
