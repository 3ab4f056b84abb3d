# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Members whose UDP is blocked: over TCP, over TLS, and back. Drawing: lib.sh.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

accepting() { on "$1" ss -Hltn "sport = :$2" | grep -q .; }

# deaf ROUTER: no UDP crosses it any more; hearing ROUTER: it does again.
deaf() {
	on "$1" nft -f - <<-END
	table inet deaf {
		chain cross {
			type filter hook forward priority -10;
			meta l4proto udp drop
		}
	}
	END
}
hearing() { on "$1" nft delete table inet deaf; }

# over HOST WORD: what carries the words of its (first) server.
over() { [ "$(ask "$1" '.rendezvous[0].over')" = "$2" ]; }

serves() { # OPTION...: a server with streams
	start s rendezvous hptun-rendezvous "$@"
	must 5 listening s 8888
}

case_udp_blocked_on_one_side_goes_over_tcp() {
	lab_up
	two_sites nat nat
	serves --listen-tcp 0.0.0.0
	must 5 accepting s 8888
	founds alice
	joins bob
	deaf nat_a
	meet alice bob
	is alice bob .path.kind relayed || fail "not relayed"
	over alice tcp || fail "alice is not over TCP"
	over bob udp || fail "bob is not over UDP"
	both_reach alice bob
	on alice hptunctl status
}
