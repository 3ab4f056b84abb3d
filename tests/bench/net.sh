# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Where the bench runs: two ends, each behind a router that translates and
# drops what nobody asked for, and a switch between them with the rendezvous.
#
#    alice ----- [ nat_a ] ----- [ net ] ----- [ nat_b ] ----- bob
#    192.168.11.2    203.0.113.11   |   203.0.113.12    192.168.12.2
#                                   s  203.0.113.1
#
# Made of the lab's parts; removed with it.

bench_net() {
	space net
	lines "link add sw type bridge" "link set sw up" | ip_in net
	host s
	switch_port s eth0 1
	behind nat_a 11 alice
	behind nat_b 12 bob
}

# switch_port SPACE IF N: a cable to the switch, 203.0.113.N.
switch_port() {
	link "$1" "$2" net "$1"
	ip -n "$LAB-net" link set "$1" master sw
	ip -n "$LAB-$1" addr add "203.0.113.$3/24" dev "$2"
}

# behind ROUTER N HOST: both, and the cables.
behind() {
	# shellcheck disable=SC2086
	space "$1" $FORWARD
	switch_port "$1" wan "$2"
	host "$3"
	link "$3" eth0 "$1" lan
	ip -n "$LAB-$1" addr add "192.168.$2.1/24" dev lan
	lines "addr add 192.168.$2.2/24 dev eth0" \
		"route add default via 192.168.$2.1" | ip_in "$3"
	on "$1" nft -f - <<-END
	table ip router {
		chain input {
			type filter hook input priority filter; policy drop;
			iifname "lan" accept
			ct state established,related accept
			icmp type echo-reply accept
		}
		chain forward {
			type filter hook forward priority filter; policy drop;
			iifname "lan" accept
			ct state established,related accept
			ip saddr 192.168.0.0/16 ip daddr 192.168.0.0/16 accept
		}
		chain leave {
			type nat hook postrouting priority srcnat;
			oifname "wan" ip daddr != 192.168.0.0/16 masquerade
		}
	}
	END
}

# The LANs reach each other without any tunnel, or no more.
straight() { # add | del
	ip -n "$LAB-nat_a" route "$1" 192.168.12.0/24 via 203.0.113.12
	ip -n "$LAB-nat_b" route "$1" 192.168.11.0/24 via 203.0.113.11
}

# Mappings of what ran before are gone.
forget_flows() {
	on nat_a conntrack -F >/dev/null 2>&1
	on nat_b conntrack -F >/dev/null 2>&1
}
