# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Several data threads, more than this machine has processors: what arrives is
# what was sent, and in its order.
# Drawing: wireguard.sh, with hptund at both ends; lib.sh for the network.
# shellcheck source=tests/lab/transfer.sh
. "$TOP/tests/lab/transfer.sh"
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

FOUR="hptund --threads 4"

case_every_kind_by_four_threads() { between "$FOUR" "$FOUR --no-offload"; }

# parallel FROM TO ADDR: four streams at once; each gets its own bytes.
parallel() {
	local i
	on "$1" sh -c 'cat >/run/sent' <"$LAB_DIR/sent"
	for i in 1 2 3 4; do
		start "$2" "sink$i" socat -u "TCP-LISTEN:700$i,reuseaddr,pf=ip6" \
			"OPEN:/run/received$i,creat,trunc"
		must 5 tcp_listens "$2" "700$i"
		start "$1" "source$i" socat -u "OPEN:/run/sent,seek=$i" \
			"TCP:$3:700$i"
	done
	for i in 1 2 3 4; do
		must 40 gone "$(job "$2" "sink$i")"
		cmp <(on "$2" cat "/run/received$i" </dev/null) \
			<(tail -c +$((i + 1)) "$LAB_DIR/sent") ||
			fail "what $2 got by stream $i is not what was sent"
	done
}

# in_order FROM TO ADDR [OPTION]: of datagrams that are counted up, none comes
# before one that was sent earlier in its flow.
in_order() {
	on "$1" iperf3 -J -u -t 2 -b 40M -l 1200 -P 6 "${@:4}" -c "$3" \
		>"$LAB_DIR/iperf.json" || fail "iperf3 -u to $3"
	jq -e '[.end.streams[].udp | select(.packets > 100)] | length == 6' \
		"$LAB_DIR/iperf.json" || fail "few datagrams arrived at $2"
	jq -e '[.end.streams[].udp.out_of_order] | add == 0' \
		"$LAB_DIR/iperf.json" || fail "datagrams overtook each other"
}

case_streams_and_flows_of_four_threads() {
	need iperf3
	ends "$FOUR" "$FOUR"
	on carol ip -d link show wg0 | grep -q 'numqueues 4'
	parallel carol dora "[fd07::2]"
	parallel dora carol "[fd07::1]"
	start carol iperf iperf3 -s
	must 5 on dora iperf3 -c 10.7.0.1 -n 1K
	in_order dora carol 10.7.0.1
	in_order dora carol fd07::1 -R
	say "$(jq -c '[.end.streams[].udp | {packets, lost_packets}]' \
		"$LAB_DIR/iperf.json")"
}

# The interface has its name to itself, and ends as one.
case_an_interface_of_four_threads_is_gone_at_once() {
	local out
	ends "$FOUR" hptund
	out=$(on carol hptund --threads 4 wg0 2>&1) && fail "a second wg0"
	grep -q 'interface wg0 already' <<<"$out"
	on carol ping -q -c 2 -W 2 10.7.0.2
	on carol ip link del wg0
	must 5 no_daemon carol
}

# Two members with two threads each, relayed, then direct; the key is read, and
# a change of it waits for the next start.
case_members_with_two_threads() {
	local h out
	two_members
	for h in alice bob; do
		on $h sed -i '/^\[Interface\]/aThreads = 2' \
			/etc/hptun/home/network.conf
	done
	meet alice bob
	[ "$(ask alice .threads)" = 2 ]
	on alice hptunctl status | grep -qE '^data +in 2 threads'
	path alice bob direct
	both_reach alice bob
	on alice sed -i 's/^Threads = .*/Threads = auto/' \
		/etc/hptun/home/network.conf
	out=$(on alice hptunctl reload 2>&1) && fail "reload took Threads"
	say "$out"
	grep -q Threads <<<"$out"
	both_reach alice bob
	on alice hptun down
	must 5 no_daemon alice
	must 5 no_device alice
}
