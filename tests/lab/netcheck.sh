# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# hptun netcheck says what the lab's routers are, without root.
#
#   alice --- [ nat_a ] 203.0.113.11 --- isp --- net --- s (hptun-rendezvous)
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

behind() { # KIND
	lab_up
	internet
	router nat_a 11 "$1"
	host alice
	plug alice nat_a 2
	rendezvous
}

# checks [OPTION...]: runs it as nobody; the facts go to a file.
checks() {
	say "# hptun netcheck $*"
	on alice timeout 60 setpriv --reuid 65534 --regid 65534 --clear-groups \
		hptun netcheck --rendezvous s.example.net --json "$@" \
		>"$LAB_DIR/facts" || say "exit $?"
	cat "$LAB_DIR/facts"
}
# says FILTER VALUE
says() {
	local is
	is=$(jq -r "$1" "$LAB_DIR/facts")
	[ "$is" = "$2" ] || fail "$1 is $is, not $2"
}
# expects PUBLIC HOME SYMMETRIC IPV6
expects() {
	says '[.expect[].path] | join(" ")' "$* none"
}
v4() { # MAPPING FILTERING PORTS HAIRPIN
	says .udp true
	says .ipv4.mapping "$1"
	says .ipv4.filtering "$2"
	says .ipv4.ports.allocation "$3"
	says .ipv4.hairpin "$4"
}

case_router_that_keeps_ports() {
	behind nat
	checks
	v4 EIM-or-ADM APDF preserved false
	says .ipv4.seen 203.0.113.11
	expects direct direct maybe-direct relayed
	says '.addresses[] | select(.address == "127.0.0.1") | .candidate' false
	says '.addresses[] | select(.address == "192.168.11.2") | .candidate' \
		true
}

case_router_with_random_ports() {
	behind random
	checks
	v4 APDM APDF random false
	expects direct maybe-direct relayed relayed
}

# One forwarded host: whatever comes to a port reaches it.
case_router_that_forwards() {
	behind nat
	on nat_a nft -f - <<-END
	table ip forwarded {
		chain come {
			type nat hook prerouting priority dstnat;
			iifname "wan" udp dport 1024-65535 dnat to 192.168.11.2
		}
	}
	insert rule inet router forward ct status dnat accept
	END
	checks
	v4 EIM-or-ADM EIF-or-ADF preserved false
	expects direct direct direct relayed
}

# The same from inside too. The bridge must leave the packet to the router.
case_router_that_hairpins() {
	behind nat
	on nat_a sysctl -qw net.bridge.bridge-nf-call-iptables=0 || true
	on nat_a nft -f - <<-END
	table ip forwarded {
		chain come {
			type nat hook prerouting priority dstnat;
			ip daddr 203.0.113.11 udp dport 1024-65535 \
				dnat to 192.168.11.2
		}
		chain leave {
			type nat hook postrouting priority srcnat;
			oifname "lan" ip saddr 192.168.11.0/24 masquerade
		}
	}
	insert rule inet router forward ct status dnat accept
	END
	checks
	v4 EIM-or-ADM EIF-or-ADF preserved true
}

case_host_without_nat() {
	lab_up
	internet
	rendezvous
	host alice
	attach alice 14
	checks
	v4 none EIF-or-ADF unknown null
	says .ipv4.seen 203.0.113.14
	expects direct direct direct relayed
}

# Two servers tell what one cannot.
case_second_server_tells_the_rest() {
	behind nat
	host s2
	attach s2 15
	start s2 rendezvous hptun-rendezvous
	must 5 listening s2 8888
	checks --rendezvous 203.0.113.15
	v4 EIM APDF preserved false
}

case_ipv6_only() {
	# shellcheck disable=SC2034
	FAMILY=6
	behind nat
	checks
	says .udp true
	says .ipv4.answered false
	says .ipv6.mapping none
	says .ipv6.filtering APDF
	expects relayed relayed relayed direct
}

case_blocked_rendezvous() {
	behind nat
	on nat_a nft insert rule inet router forward udp dport 8888-8889 drop
	checks
	says .udp false
	expects none none none none
	local code=0
	on alice hptun netcheck --rendezvous s.example.net \
		>"$LAB_DIR/words" || code=$?
	[ $code = 5 ] || fail "exit $code"
	cat "$LAB_DIR/words"
	grep -q 'blocked: no answer from UDP port 8888 and 8889' \
		"$LAB_DIR/words"
}

# The router forgets what was silent for 5 s.
case_lifetime_shorter_than_keepalives() {
	behind nat
	on nat_a sysctl -qw net.netfilter.nf_conntrack_udp_timeout=5 \
		net.netfilter.nf_conntrack_udp_timeout_stream=5
	checks --long
	says .ipv4.lifetime.alive_s null
	says .ipv4.lifetime.dead_s 15
}

# ---- kinds that the kernel lacks: the NAT box ------------------------------
case_sequential_ports() {
	behind "box apdm apdf sequential"
	checks
	v4 APDM APDF sequential false
	says .ipv4.ports.stride 1
	expects direct maybe-direct maybe-direct relayed
}

case_sequential_ports_with_a_stride() {
	behind "box apdm apdf sequential stride=4"
	checks
	v4 APDM APDF sequential false
	says .ipv4.ports.stride 4
}

# A subscriber of a carrier has 512 ports, whatever the carrier has.
case_block_of_ports() {
	behind "box apdm apdf block block=512"
	checks
	v4 APDM APDF random false
	says '.ipv4.ports | .high - .low < 512' true
}

case_mapping_by_address() {
	behind "box adm adf random"
	host s2
	attach s2 15
	start s2 rendezvous hptun-rendezvous
	must 5 listening s2 8888
	checks --rendezvous 203.0.113.15
	says .ipv4.mapping ADM
	says .ipv4.filtering ADF
}

case_hairpin_of_a_box() {
	behind "box eim eif random hairpin"
	checks
	v4 EIM-or-ADM EIF-or-ADF random true
}
