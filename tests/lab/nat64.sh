# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Hosts that have IPv6 alone, on a network whose router is a NAT64 (tayga, then
# the router's own NAT) and whose name server is a DNS64. All else has IPv4
# alone.
#
#   alice --- IPv6 --- [ tayga, nat_a ] --- net --- [ nat_b ] --- bob
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

PREFIX=2001:db8:64::/96

# nat64 ROUTER [PREFIX]: makes it one. The addresses between tayga and the NAT
# are its own affair.
nat64() {
	need tayga dnsmasq
	local conf=$LAB_DIR/$1-tayga.conf
	lines "tun-device nat64" "ipv4-addr 10.64.0.1" \
		"prefix ${2:-$PREFIX}" "ipv6-addr 2001:db8:ff::1" \
		"dynamic-pool 10.64.0.0/24" >"$conf"
	on "$1" tayga --config "$conf" --mktun
	lines "link set nat64 up" "route add 10.64.0.0/24 dev nat64" \
		"route add ${2:-$PREFIX} dev nat64" | ip_in "$1"
	start "$1" tayga tayga --config "$conf" --nodetach
	on "$1" nft insert rule inet router forward iifname nat64 accept
}
# dns64 ROUTER [RECORD...]: its name server, for the LAN: names and addresses as
# a DNS64 would give them.
dns64() {
	local router=$1 records=() r
	shift
	for r in "${@:-ipv4only.arpa,192.0.0.170,2001:db8:64::c000:aa}"; do
		records+=("--host-record=$r")
	done
	start "$router" dns dnsmasq -k -C /dev/null -R -h -u root \
		--pid-file= "${records[@]}"
	must 5 listening "$router" 53
}
# asks HOST ROUTER: it asks that one for names.
asks() {
	echo "nameserver 2001:db8:${SITE[$2]}::1" |
		on "$1" sh -c 'cat >/etc/resolv.conf'
}

# alice with IPv6 alone behind nat_a, bob behind a NAT, both set up.
v6_only() {
	lab_up
	internet
	router nat_a 11 nat
	router nat_b 12 nat
	host alice
	host bob
	FAMILY=6 plug alice nat_a 2
	plug bob nat_b 2
	nat64 nat_a
	asks alice nat_a
	rendezvous
}
prefix_is() { [ "$(ask "$1" .nat64)" = "$2" ]; }

# Through the NAT64 like through any NAT; and much data arrives as it was sent.
case_v6_only_host_meets_v4_only_peer() {
	need socat sha256sum
	v6_only
	dns64 nat_a
	founds alice
	joins bob
	meet alice bob
	path alice bob direct
	prefix_is alice "$PREFIX" || fail "not the prefix of the NAT64"
	of alice bob .path.remote | grep -q '^203.0.113.12:'
	of bob alice .path.remote | grep -q '^203.0.113.11:'
	both_reach alice bob
	not_by_the_rendezvous alice bob
	head -c 20000000 /dev/urandom >"$LAB_DIR/sent"
	carries alice bob
	carries bob alice
	on alice ping -q -M "do" -s $((1408 - 28)) -c 3 -i 0.2 "$(overlay bob)" |
		grep -q ' 0% packet loss' || fail "long packets do not pass"
}
tcp_listens() { on "$1" ss -Hltn "sport = :$2" | grep -q .; }
carries() { # FROM TO: over TCP; the hashes are compared
	start "$2" sink socat -u TCP-LISTEN:7000,reuseaddr \
		OPEN:/run/received,creat,trunc
	must 5 tcp_listens "$2" 7000
	on "$1" timeout 60 socat -u - "TCP:$(overlay "$2"):7000" \
		<"$LAB_DIR/sent"
	must 20 ended "$(job "$2" sink)"
	[ "$(on "$2" sha256sum /run/received | cut -d ' ' -f 1)" = \
		"$(sha256sum <"$LAB_DIR/sent" | cut -d ' ' -f 1)" ] ||
		fail "what $2 got is not what $1 sent"
}

# An answer that shows no prefix is as good as none; a name server that gives
# one later is heard. Meanwhile there is no way to a server with IPv4 alone.
case_name_server_without_dns64() {
	v6_only
	dns64 nat_a ipv4only.arpa,192.0.0.170,2001:db8::1
	founds alice
	on alice hptun up --no-wait >/dev/null
	sleep 3
	prefix_is alice null || fail "that is no prefix"
	[ "$(ask alice '.rendezvous[0].state')" != registered ]
	stop nat_a dns
	dns64 nat_a
	# As when another network is joined: a new address.
	lines "addr add 2001:db8:11::9/64 dev eth0" | ip_in alice
	must 5 prefix_is alice "$PREFIX"
	must 5 registered alice
}
registered() { [ "$(ask "$1" '.rendezvous[0].state')" = registered ]; }

# The longer the prefix, the further back the address stands (RFC 6052); the
# server's name has what a DNS64 made of it.
case_prefix_of_40_bits_and_a_name() {
	lab_up
	internet
	router nat_a 11 nat
	host alice
	FAMILY=6 plug alice nat_a 2
	nat64 nat_a 2001:db8:100::/40
	dns64 nat_a ipv4only.arpa,192.0.0.171,2001:db8:1c0:0:ab:: \
		s.example.net,203.0.113.1,2001:db8:1cb:71:1::
	asks alice nat_a
	on alice sed -i /s.example.net/d /etc/hosts
	rendezvous
	founds alice
	on alice hptun up --no-wait >/dev/null
	must 5 prefix_is alice 2001:db8:100::/40
	must 5 registered alice
	[ "$(ask alice '.rendezvous[0].address')" = 203.0.113.1:8888 ]
}

# Two hosts try it out, without a daemon.
case_echo_through_the_nat64() {
	v6_only
	dns64 nat_a
	start bob echo sh -c "sleep 30 | hptun echo --room nat64 \
		--rendezvous s.example.net"
	start alice echo sh -c "sleep 30 | hptun echo --room nat64 \
		--rendezvous s.example.net"
	must 10 grep -q "IPv6 only, IPv4 through NAT64" "$LAB_DIR/alice-echo.log"
	must 10 grep -q "direct" "$LAB_DIR/alice-echo.log"
}

# Without a daemon: IPv4 behaves as the NAT64 does, in netcheck's words too.
case_netcheck_behind_a_nat64() {
	v6_only
	dns64 nat_a
	local said
	said=$(on alice hptun netcheck --rendezvous s.example.net)
	say "$said"
	grep -q "IPv6 only, IPv4 through NAT64 prefix $PREFIX" <<<"$said"
	said=$(on alice hptun netcheck --json --rendezvous s.example.net)
	[ "$(jq -r .nat64 <<<"$said")" = "$PREFIX" ]
	[ "$(jq -r .udp <<<"$said")" = true ]
	[ "$(jq -r .ipv4.seen <<<"$said")" = 203.0.113.11 ]
	[ "$(jq -r '.rendezvous[0].serves' <<<"$said")" = true ]
}

# UDP does not pass the NAT64: the server is reached through it by TCP.
case_tcp_through_the_nat64() {
	v6_only
	stop s rendezvous
	start s rendezvous hptun-rendezvous --listen-tcp 0.0.0.0
	must 5 listening s 8888
	dns64 nat_a
	on nat_a nft insert rule inet router forward iifname lan udp dport \
		8000-9000 drop
	founds alice
	on alice hptun up --no-wait >/dev/null
	must 15 registered alice
	[ "$(ask alice '.rendezvous[0].over')" = tcp ]
	prefix_is alice "$PREFIX"
	on alice hptun netcheck --json --rendezvous s.example.net |
		jq -e '.rendezvous[0].tcp.works' >"$LAB_DIR/works" ||
		fail "netcheck does not reach the server by TCP"
}

# ---- from one network to another ------------------------------------------
# alice has a Wi-Fi with IPv4 alone (eth0, nat_a) and a modem with IPv6 alone
# (nat_m, a NAT64); the name server comes with the network.
with_modem() {
	lab_up
	two_sites nat nat
	router nat_m 13 nat
	link alice modem nat_m alice
	ip -n "$LAB-nat_m" link set alice master lan
	nat64 nat_m
	dns64 nat_m
	rendezvous
	founds alice
	joins bob
	meet alice bob
	path alice bob direct
	prefix_is alice null
}
to_mobile() {
	ip -n "$LAB-alice" addr flush dev eth0
	lines "addr replace 2001:db8:13::2/64 dev modem" \
		"route replace default via fe80::1 dev modem" | ip_in alice
	asks alice nat_m
}
to_wifi() {
	ip -n "$LAB-alice" -6 addr flush dev modem
	on alice sh -c ': >/etc/resolv.conf'
	lines "addr replace 192.168.11.2/24 dev eth0" \
		"route replace default via 192.168.11.1 dev eth0" | ip_in alice
}
seen_as() { ask alice '.rendezvous[0].seen[0]' | grep -q "^$1:"; }

# From IPv4 to IPv6 alone and back.
case_roaming_to_nat64_and_back() {
	with_modem
	watched alice bob 80
	to_mobile
	must 3 prefix_is alice "$PREFIX"
	must 3 seen_as 203.0.113.13
	sleep 2
	to_wifi
	must 3 prefix_is alice null
	must 3 seen_as 203.0.113.11
	longest alice 3
	path alice bob direct
	of alice bob .path.remote | grep -q '^203.0.113.12:'
}

# A host that has IPv4, too, has no use for the NAT64.
case_ipv4_beside_a_nat64_is_used() {
	with_modem
	lines "addr replace 2001:db8:13::2/64 dev modem" \
		"route replace default via fe80::1 dev modem" | ip_in alice
	asks alice nat_m
	sleep 2
	prefix_is alice null
	seen_as 203.0.113.11
	both_reach alice bob
	path alice bob direct
}
