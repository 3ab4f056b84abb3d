# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Uplinks that carry less than 1500 bytes, and say nothing of it: no ICMP passes
# the routers of the internet. Drawing: lib.sh.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

# narrow MTU: the cable of alice's provider, both ways.
narrow() {
	ip -n "$LAB-isp-nat_a" link set core mtu "$1"
	ip -n "$LAB-net" link set nat_a mtu "$1"
}

# silent_internet: alice and bob, on routers that never tell an MTU.
silent_internet() {
	local r
	two_members nat nat
	for r in net isp-nat_a isp-nat_b; do
		on "$r" nft -f - <<-END
		table inet silent {
			chain output {
				type filter hook output priority filter;
				icmp type destination-unreachable drop
				icmpv6 type packet-too-big drop
			}
		}
		END
	done
}

# carries FROM TO [BYTES]: over TCP; the hashes are compared.
carries() {
	local addr
	need socat sha256sum
	head -c "${3:-2000000}" /dev/urandom >"$LAB_DIR/sent"
	for addr in $(ask "$2" '.addresses[]'); do
		start "$2" sink socat -u TCP6-LISTEN:7000,reuseaddr,ipv6only=0 \
			OPEN:/run/received,creat,trunc
		must 5 tcp_open "$2"
		case $addr in *:*) addr="[$addr]" ;; esac
		on "$1" timeout 20 socat -u - "TCP:$addr:7000" <"$LAB_DIR/sent"
		must 5 ended "$(job "$2" sink)"
		[ "$(on "$2" sha256sum </dev/null /run/received |
			cut -d ' ' -f 1)" = \
			"$(sha256sum <"$LAB_DIR/sent" | cut -d ' ' -f 1)" ] ||
			fail "what $2 got at $addr is not what $1 sent"
	done
}
tcp_open() { on "$1" ss -Hltn "sport = :7000" | grep -q .; }

# whole FROM ADDR SIZE: an inner packet of SIZE bytes goes through, uncut.
whole() {
	local head=28
	case $2 in *:*) head=48 ;; esac
	on "$1" ping -q -M "do" -c 1 -W 2 -s $(($3 - head)) "$2" >/dev/null 2>&1
}

# fits A B MTU: that is what status says both ways, what passes, and all that
# does.
fits() {
	local to
	must 5 is "$1" "$2" .mtu "$3"
	must 5 is "$2" "$1" .mtu "$3"
	to=$(overlay "$2" 10.)
	must 3 whole "$1" "$to" "$3"
	! whole "$1" "$to" $(($3 + 1)) || fail "$(($3 + 1)) bytes passed, too"
}

# told_mtu A B MTU: the doctor says so, as measured (1200 is RFC 8899's base).
told_mtu() {
	local state=complete
	[ "$3" -ge 1168 ] || state=error
	on "$1" hptunctl doctor "$2" --json |
		jq -e --arg state "$state" --argjson mtu "$3" \
			'.path_mtu == {state: $state, mtu: $mtu, device: 1408}'
}

# through MTU INNER: an uplink of it from the first.
through() {
	silent_internet
	narrow "$1"
	meet alice bob
	path alice bob direct
	fits alice bob "$2"
	must 5 told_mtu alice bob "$2"
	carries alice bob "${3:-2000000}"
	carries bob alice "${3:-2000000}"
}

# 28 bytes are IPv4 and UDP, 32 are WireGuard. 1408 is all that the device has.
case_uplink_of_1492() { through 1492 1408; }
case_uplink_of_1420() { through 1420 1360; }
case_uplink_of_1300() { through 1300 1240; }

# IPv6 inside needs 1280: what is longer than 1064 travels in fragments.
case_uplink_of_1124() {
	through 1124 1064
	must 3 whole alice "$(overlay bob :)" 1280
	must 3 whole bob "$(overlay alice :)" 1280
}

# Over IPv6 nobody on the way cuts: the sender has to.
case_ipv6_uplink_of_1280() {
	# shellcheck disable=SC2034
	FAMILY=6
	through 1280 1200
	must 3 whole alice "$(overlay bob :)" 1280
	must 3 whole bob "$(overlay alice :)" 1280
}

# shrinks FROM TO: under traffic, which lasts.
shrinks() {
	local begin
	silent_internet
	meet alice bob
	path alice bob direct
	sleep 2
	is alice bob .mtu 1408 || fail "the path carries less from the first"
	start alice watch ping -D -i 0.1 -c 70 -W 1 -s 1300 -M dont \
		"$(overlay bob 10.)"
	sleep 2
	begin=$(now_ms)
	narrow "$1"
	must 8 is alice bob .mtu "$2"
	must 8 is bob alice .mtu "$2"
	say "black hole found after $(($(now_ms) - begin)) ms"
	[ $(($(now_ms) - begin)) -le 5000 ] || fail "later than 5 s"
	longest alice 5
	fits alice bob "$2"
	carries alice bob
}
case_uplink_shrinks_under_traffic() { shrinks 1300 1240; }
case_ipv6_uplink_shrinks_under_traffic() {
	# shellcheck disable=SC2034
	FAMILY=6
	shrinks 1300 1220
}
