# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Every kind of inner packet: what arrives is what was sent. TCP, which mends it,
# through loss, and with packets that overtake each other. Each kind with long
# packets to and from the kernel, and without.
# Drawing: wireguard.sh, with hptund at both ends.
# shellcheck source=tests/lab/offload.sh
. "$TOP/tests/lab/offload.sh"

# An empty destination options header for every packet of a socket:
# setsockopt(IPPROTO_IPV6, IPV6_DSTOPTS, PadN of 4 bytes).
DSTOPTS="setsockopt-bin=41:59:x0000010400000000"
# No checksum: setsockopt(SOL_SOCKET, SO_NO_CHECK, 1).
NO_SUM="setsockopt-int=1:11:1"

# sees HOST RULE: count what comes in to HOST and fits RULE.
sees() {
	lines "table inet seen {" \
		"chain in { type filter hook prerouting priority -500;" \
		"$2 counter; }; }" >"$LAB_DIR/rules"
	on "$1" nft -f - <"$LAB_DIR/rules"
}
# saw HOST N: at least N came. Then forget it.
saw() {
	local n
	n=$(on "$1" nft list table inet seen | sed -n 's/.*packets \([0-9]*\).*/\1/p')
	on "$1" nft delete table inet seen
	[ "$n" -ge "$2" ] || fail "$1 saw $n such packets, not $2"
}

# same HOST BYTES: HOST got the first BYTES of what was sent, and no more.
same() {
	cmp <(head -c "$2" "$LAB_DIR/sent") \
		<(on "$1" cat /run/received </dev/null) ||
		fail "what $1 got is not what was sent"
}

# streams FROM TO ADDR BLOCK [OPTION]: TCP, written BLOCK bytes at a time.
streams() {
	local n=$(($4 * 600))
	[ "$n" -lt 2000000 ] || n=2000000
	start "$2" sink socat -u "TCP-LISTEN:7000,reuseaddr,pf=ip6" \
		OPEN:/run/received,creat,trunc
	must 5 tcp_listens "$2" 7000
	head -c "$n" "$LAB_DIR/sent" | on "$1" timeout 60 \
		socat -b "$4" -u - "TCP:$3:7000,nodelay${5:+,$5}"
	must 20 gone "$(job "$2" sink)"
	same "$2" "$n"
}

# throws FROM TO FAMILY ADDR LENGTH COUNT [OPTION]: COUNT datagrams. Without
# loss, and no more at once than a socket holds.
throws() {
	local n=$(($5 * $6))
	start "$2" sink socat -b 65536 -u "UDP$3-RECV:7001" \
		OPEN:/run/received,creat,trunc
	must 5 udp_listens "$2" 7001
	head -c "$n" "$LAB_DIR/sent" | on "$1" \
		socat -b "$5" -u - "UDP$3-SENDTO:$4:7001${7:+,$7}"
	must 5 received "$2" "$n"
	stop "$2" sink
	same "$2" "$n"
}
udp_listens() { on "$1" ss -Hlun "sport = :$2" | grep -q .; }
received() { [ "$(on "$1" stat -c %s /run/received)" -ge "$2" ]; }

# overtaken HOST: packets were, of the streams that HOST sent.
overtaken() {
	on "$1" nstat -az TcpExtTCPSACKReorder |
		awk '$2 > 20 { n = 1 } END { exit !n }' ||
		fail "no packet from $1 was overtaken"
}

# between PROGRAM PROGRAM: all kinds.
between() {
	local block any=$((RANDOM % 4000 + 2))
	BYTES=2000000
	ends "$1" "$2"
	sees carol "ip6 daddr fd07::1 exthdr dst exists"
	throws dora carol 6 "[fd07::1]" 1000 40 "$DSTOPTS"
	saw carol 40
	sees carol "ip daddr 10.7.0.1 ip frag-off & 0x3fff != 0"
	throws dora carol 4 10.7.0.1 20000 6
	saw carol 90
	sees carol "ip6 daddr fd07::1 exthdr frag exists"
	throws dora carol 6 "[fd07::1]" 20000 6
	saw carol 90
	sees dora "ip daddr 10.7.0.2 udp checksum 0"
	throws carol dora 4 10.7.0.2 1111 40 "$NO_SUM"
	saw dora 40
	throws carol dora 4 10.7.0.2 333 100
	loss 1
	far net 2 2
	for block in 1 77 "$any" 1357 4001; do
		say "blocks of $block bytes"
		streams carol dora "[fd07::2]" "$block"
	done
	streams dora carol "[fd07::1]" 8192 "$DSTOPTS"
	overtaken carol
}

case_every_kind_with_offload() { between hptund hptund; }
case_every_kind_without_offload() { between "$SINGLE" "$SINGLE"; }
case_every_kind_with_offload_at_one_end() { between hptund "$SINGLE"; }
