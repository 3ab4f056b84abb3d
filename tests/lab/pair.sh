# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Members of a network meet: behind every kind of router, and when everything
# around them breaks. Drawing: lib.sh.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

# ---- where they sit -------------------------------------------------------
case_two_nats_that_drop() {
	two_members nat nat
	meet alice bob
	told direct
	not_by_the_rendezvous alice bob
}

case_two_nats_with_open_input() {
	two_members open open
	meet alice bob
	told direct
	not_by_the_rendezvous alice bob
}

case_one_nat_for_both() {
	lab_up
	one_lan nat
	membership
	meet alice bob
	told lan
	of alice bob .path.remote | grep -q '^192.168.11.3:'
}

# Both LANs use the same addresses, and both hosts the same one.
case_two_lans_of_the_same_name() {
	lab_up
	internet
	router nat_a 11 nat 192.168.1
	router nat_b 12 nat 192.168.1
	host alice
	host bob
	plug alice nat_a 2
	plug bob nat_b 2
	membership
	meet alice bob
	told direct
}

case_one_is_public() {
	lab_up
	internet
	router nat_a 11 nat
	host alice
	plug alice nat_a 2
	host bob
	attach bob 21
	membership
	meet alice bob
	told direct
	of alice bob .path.remote | grep -q '^203.0.113.21:'
}

case_ipv6_without_nat() {
	# shellcheck disable=SC2034
	FAMILY=6
	two_members nat nat
	meet alice bob
	told direct
	of alice bob .path.remote | grep -q '2001:db8:12:'
	[ "$(of alice bob .path.family)" = 6 ]
}

# IPv4 would have to be relayed; IPv6 goes straight.
case_ipv6_helps_symmetric_nats() {
	# shellcheck disable=SC2034
	FAMILY=46
	two_members random random
	meet alice bob
	told direct
	[ "$(of alice bob .path.family)" = 6 ]
}

case_symmetric_on_both_sides_is_relayed() {
	two_members random random
	meet alice bob
	told relayed both-nats-symmetric
	must 20 is alice bob .why \
		"both NATs give each destination another port, out of too many to guess"
	must 20 is bob alice .why \
		"both NATs give each destination another port, out of too many to guess"
	on alice hptunctl status
	on alice hptunctl status | grep -qi relayed
}

case_three_nodes_are_a_mesh() {
	two_members
	router nat_c 13 nat
	host carol
	plug carol nat_c 2
	joins carol
	local a b
	for a in alice bob carol; do up $a; done
	ups alice bob carol
	for a in alice bob carol; do
		for b in alice bob carol; do
			[ $a = $b ] || path $a $b direct
		done
	done
	both_reach alice bob
	both_reach bob carol
	both_reach carol alice
}

# Those who are up already meet who comes later.
case_a_latecomer_joins_the_mesh() {
	two_members
	up alice
	up bob
	ups alice bob
	router nat_c 13 nat
	host carol
	plug carol nat_c 2
	joins carol
	up carol
	ups carol
	path alice carol direct
	path bob carol direct
	tells alice carol direct direct
	tells carol bob direct direct
	both_reach alice carol
	both_reach bob carol
}

case_a_fifth_of_the_packets_is_lost() {
	two_members
	loss 20
	meet alice bob
	path alice bob direct
	on alice ping -q -c 20 -i 0.1 "$(overlay bob)" |
		grep -q ' 100% packet loss' && fail "nothing gets through"
	loss 0
	both_reach alice bob
}

# ---- again and again ------------------------------------------------------
case_up_at_the_same_instant_50_times() { # long
	two_members
	local i direct=0 took=()
	for i in $(seq "${TIMES:-50}"); do
		meet alice bob
		on alice ping -q -c 1 -W 2 10.9.0.2 >/dev/null ||
			fail "round $i: no answer"
		must 10 is alice bob .path.kind direct
		direct=$((direct + 1))
		took+=("$(of alice bob .direct_ms)")
		on alice hptun down >/dev/null &
		on bob hptun down >/dev/null
		wait $!
		must 5 no_daemon alice
		must 5 no_daemon bob
	done
	say "$direct direct; ms: ${took[*]}"
}

# ---- when things break ----------------------------------------------------
case_peer_killed_and_restarted() {
	two_members
	meet alice bob
	path alice bob direct
	crash bob
	up bob --peer alice
	ups bob
	must 10 on alice ping -q -c 1 -W 1 "$(overlay bob)"
	told direct
}

case_rendezvous_killed_and_restarted() {
	two_members
	router nat_c 13 nat
	host carol
	plug carol nat_c 2
	joins carol
	meet alice bob
	up carol --no-wait
	ups carol
	path alice bob direct
	watched alice bob 100
	stop s rendezvous KILL
	sleep 2
	rendezvous
	up carol --peer alice --timeout 30
	ups carol
	must 60 ended "$(job alice watch)"
	[ "$(replies alice)" = 100 ] ||
		fail "the direct path lost $((100 - $(replies alice))) packets"
	both_reach carol alice
	path carol alice direct
	tells carol alice direct direct
}

flush_under_a_ping() {
	two_members "$1" "$1"
	meet alice bob
	path alice bob direct
	watched alice bob 80
	on nat_a conntrack -F
	longest alice 3
	path alice bob direct
	both_tell direct
}
case_conntrack_flushed_under_a_ping() { flush_under_a_ping nat; }
case_conntrack_flushed_on_an_open_router() { flush_under_a_ping open; }

case_public_address_of_one_side_changes() {
	two_members
	meet alice bob
	path alice bob direct
	watched alice bob 80
	renumber nat_a 11 19
	longest alice 3
	path alice bob direct
	both_tell direct
	of bob alice .path.remote | grep -q '^203.0.113.19:'
}

case_host_address_of_one_side_changes() {
	two_members
	meet alice bob
	path alice bob direct
	watched alice bob 80
	lines "addr add 192.168.11.7/24 dev eth0" \
		"addr del 192.168.11.2/24 dev eth0" \
		"addr replace 192.168.11.7/24 dev eth0" \
		"route replace default via 192.168.11.1" | ip_in alice
	longest alice 3
	path alice bob direct
	both_tell direct
}

# The direct way is cut between the providers; the relay takes over, and gives
# back.
case_direct_path_cut_and_mended() {
	two_members
	meet alice bob
	path alice bob direct
	watched alice bob 80
	on net nft add rule inet core forward \
		ip saddr 203.0.113.11 ip daddr 203.0.113.12 drop
	on net nft add rule inet core forward \
		ip saddr 203.0.113.12 ip daddr 203.0.113.11 drop
	longest alice 3
	is alice bob .path.kind relayed || fail "not relayed"
	both_tell udp-blocked udp-blocked relayed
	on net nft flush chain inet core forward
	must 70 is alice bob .path.kind direct
	told direct
}

# ---- words ----------------------------------------------------------------
# fails HOST WORDS CMD...: CMD ends badly and its output has all the words.
fails() {
	local host=$1 words=$2 out w
	shift 2
	! out=$(on "$host" "$@" 2>&1) || fail "it ended well: $*"
	say "$out"
	for w in $words; do
		grep -qiF -- "$w" <<<"$out" || fail "not said: $w"
	done
}

case_blocked_rendezvous_is_named_with_port_and_protocol() {
	two_members
	on s nft -f - <<-END
	table inet cloud {
		chain input {
			type filter hook input priority filter;
			udp dport { 8888, 8889 } drop
		}
	}
	END
	fails alice "s.example.net 8888 UDP firewall" \
		hptun up --peer bob --timeout 5
	tells alice bob rendezvous-unreachable
}

case_unknown_peer() {
	two_members
	up bob
	ups bob
	fails alice zebra hptun up --peer zebra --timeout 5
	fails alice "bbo bob" hptun up --peer bbo --timeout 5
}

case_offline_peer() {
	two_members
	fails alice "bob offline" hptun up --peer bob --timeout 5
	tells alice bob peer-offline
	tells alice zebra peer-unknown
}

case_without_relay_two_symmetric_nats_have_no_path() {
	lab_up
	two_sites random random
	rendezvous --no-relay
	founds alice
	joins bob
	up bob --no-wait
	ups bob
	fails alice "bob path" hptun up --peer bob --timeout 5
	must 30 on alice sh -c 'hptunctl doctor bob --timeout 1 --json |
		jq -e ".cause == \"both-nats-symmetric\" and .path == null"'
}

case_bad_tokens_are_told_apart() {
	two_members
	router nat_c 13 nat
	host carol
	plug carol nat_c 2
	local token
	token=$(on alice hptun invite carol | grep -o 'hptun1:[A-Za-z0-9_-]*')
	fails carol token hptun join "${token%??????}"
	fails carol token hptun join "hptun1:hello"
	on carol hptun join "$token"
	fails alice carol hptun invite carol
}

# ---- tidiness -------------------------------------------------------------
case_second_daemon_is_told_who_has_it() {
	two_members
	meet alice bob
	fails alice "$(daemon_of alice)" hptund -f -n home
	both_reach alice bob
}

# The machine is as it was: interfaces, addresses, routes, processes, files.
traces() {
	on "$1" sh -c 'ip -br link; ip -br addr; ip route; ip -6 route
		ls -A /run/hptun /var/run/wireguard' 2>&1
}
case_down_leaves_nothing_behind() {
	two_members
	on alice mkdir -p /run/hptun /var/run/wireguard
	traces alice >"$LAB_DIR/before"
	meet alice bob
	on alice hptun down
	must 3 no_daemon alice
	traces alice | diff "$LAB_DIR/before" -
}

case_killed_daemon_is_cleaned_up_after() {
	two_members
	on alice mkdir -p /run/hptun /var/run/wireguard
	traces alice >"$LAB_DIR/before"
	meet alice bob
	crash alice
	up alice --peer bob
	ups alice
	both_reach alice bob
	on alice hptun down
	must 3 no_daemon alice
	traces alice | diff "$LAB_DIR/before" -
}

# What the systemd units leave the programs is enough for them.
case_units_leave_privileges_enough() {
	need setpriv
	local caps h
	caps=$(sed -n 's/^CapabilityBoundingSet=//p' \
		"$TOP/contrib/systemd/hptund@.service" |
		tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')
	lab_up
	two_sites nat nat
	start s rendezvous setpriv --reuid 65534 --regid 65534 --clear-groups \
		--bounding-set=-all --no-new-privs hptun-rendezvous
	must 5 listening s 8888
	founds alice
	joins bob
	for h in alice bob; do
		start $h daemon setpriv --bounding-set="-all,$caps" \
			--inh-caps=-all --no-new-privs \
			hptund --foreground --all --network home
	done
	told direct
	on alice hptunctl reload
}

case_wg_show_works_on_a_network() {
	need wg
	two_members
	meet alice bob
	on alice wg show hptun0
	[ "$(on alice wg show hptun0 peers | wc -l)" = 1 ]
	on alice wg show hptun0 allowed-ips | grep -q "$(overlay bob)/32"
	[ "$(on alice wg show hptun0 latest-handshakes | cut -f 2)" -gt 0 ]
}
