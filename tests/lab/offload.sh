# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Long packets to and from the kernel, and without them: what arrives is what
# was sent. Drawing: wireguard.sh, with hptund at both ends.
# shellcheck source=tests/lab/wireguard.sh
. "$TOP/tests/lab/wireguard.sh"

SINGLE="hptund --no-offload"

# ends PROGRAM PROGRAM: of carol and dora; a tunnel between them.
ends() {
	need socat sha256sum
	two_ends "$1" "$2"
	knows carol dora 2 endpoint $DORA4:51820
	knows dora carol 1 endpoint $CAROL4:51820
	carol_first
	head -c "${BYTES:-20000000}" /dev/urandom >"$LAB_DIR/sent"
}

# carries FROM TO ADDR [OPTION]: over TCP; the hashes are compared.
carries() {
	start "$2" sink socat -u "TCP-LISTEN:7000,reuseaddr,pf=ip${4:-4}" \
		OPEN:/run/received,creat,trunc
	must 5 tcp_listens "$2" 7000
	on "$1" timeout 100 socat -u - "TCP:$3:7000" <"$LAB_DIR/sent"
	must 20 gone "$(job "$2" sink)"
	[ "$(on "$2" sha256sum </dev/null /run/received | cut -d ' ' -f 1)" = \
		"$(sha256sum <"$LAB_DIR/sent" | cut -d ' ' -f 1)" ] ||
		fail "what $2 got is not what $1 sent"
}
carries_both_ways() {
	carries dora carol 10.7.0.1
	carries carol dora "[fd07::2]" 6
}

# ---- through loss ---------------------------------------------------------
case_loss_with_offload() {
	ends hptund hptund
	loss 1
	carries_both_ways
}

case_loss_without_offload() {
	ends "$SINGLE" "$SINGLE"
	loss 1
	carries_both_ways
}

case_loss_with_offload_at_one_end() {
	ends hptund "$SINGLE"
	loss 1
	carries_both_ways
}

# ---- what packets may carry -----------------------------------------------
case_ecn_and_no_timestamps() {
	local h
	ends hptund hptund
	for h in carol dora; do
		on $h sysctl -qw net.ipv4.tcp_ecn=1 net.ipv4.tcp_timestamps=0
	done
	on net nft add rule inet core forward \
		"meta l4proto udp numgen random mod 50 0 ip ecn set ce"
	carries_both_ways
}

# Datagrams that the sender's kernel cuts late, of a length that is no multiple
# of anything.
case_udp_of_odd_length() {
	local opt
	need iperf3
	ends hptund hptund
	start carol iperf iperf3 -s
	must 5 on dora iperf3 -c 10.7.0.1 -n 1K
	for opt in "-l 1301" "-l 77 -b 4M" \
		"-l 1301 -R" "-l 9000"; do
		# shellcheck disable=SC2086
		on dora iperf3 -J -u -t 1 -b 20M $opt -c 10.7.0.1 \
			>"$LAB_DIR/iperf.json" || fail "iperf3 -u $opt"
		jq -e '.end.sum | .packets > 100 and .lost_percent < 20' \
			"$LAB_DIR/iperf.json" >/dev/null || {
			jq .end.sum "$LAB_DIR/iperf.json"
			fail "iperf3 -u $opt"
		}
	done
}

# ---- what a kernel refuses ------------------------------------------------
# The cable takes less than a sealed packet: joined datagrams are refused, and
# go one by one, in fragments.
case_cable_shorter_than_the_tunnel() {
	BYTES=2000000
	ends hptund hptund
	ip -n "$LAB-dora" link set wan mtu 1300
	ip -n "$LAB-carol" link set wan mtu 1300
	carries_both_ways
	inner_ping dora 10.7.0.1
}

# Transfers with tiny segments: more of them in one read than in one batch.
case_segments_of_88_bytes() {
	BYTES=1000000
	ends hptund hptund
	on dora ip route change 10.7.0.0/24 dev wg0 advmss 88
	on carol ip route change 10.7.0.0/24 dev wg0 advmss 88
	carries dora carol 10.7.0.1
}
