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

# wide_awake [FAMILY]: alice and bob, direct; MTUs are never told.
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
	on "$1" ping -q -M do -c 1 -W 2 -s $(($3 - head)) "$2" >/dev/null 2>&1
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

# through MTU INNER: an uplink of it from the first.
through() {
	silent_internet
	narrow "$1"
	meet alice bob
	path alice bob direct
	fits alice bob "$2"
	carries alice bob
	carries bob alice
}

# 28 bytes are IPv4 and UDP, 32 are WireGuard. 1408 is all that the device has.
case_uplink_of_1492() { through 1492 1408; }
case_uplink_of_1420() { through 1420 1360; }
case_uplink_of_1300() { through 1300 1240; }
case_uplink_of_1124() { through 1124 1064; }
