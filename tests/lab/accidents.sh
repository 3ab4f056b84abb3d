# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# What may happen to two members while they talk, for cases and for the bench of
# gaps: a transfer over TCP, a stream of pings that shows how long nothing gets
# through, and the accidents. No case of its own.
#
# An accident is a place and a happening:
#	at_NAME		alice and bob, met, with the path they shall have
#	do_NAME		it happens; may be called again and again
#	mended_NAME	all is as before, or as good (default: direct again)

# transfer FROM TO SECONDS: random bytes at a modest rate; arrived FROM TO: they
# came, and are the same.
transfer() {
	local addr
	addr=$(overlay "$2")
	start "$2" receive sh -c "socat -u TCP-LISTEN:5001,reuseaddr - |
		sha256sum"
	must 5 on "$2" sh -c "ss -Hltn 'sport = :5001' | grep -q ."
	start "$1" send sh -c "head -c $(($3 * 1310720)) /dev/urandom >/run/data
		i=0
		while [ \$i -lt $(($3 * 40)) ]; do
			dd bs=32k count=1 status=none
			sleep 0.02
			i=\$((i + 1))
		done </run/data | socat -u - TCP:$addr:5001"
}
arrived() {
	must 60 ended "$(job "$1" send)"
	must 60 ended "$(job "$2" receive)"
	[ "$(log "$2" receive | tail -n 1 | cut -d ' ' -f 1)" = \
		"$(on "$1" sha256sum /run/data | cut -d ' ' -f 1)" ] ||
		fail "what arrived is not what was sent"
}

# stream FROM TO: 50 pings a second until stilled; silence FROM T0: the longest
# time in ms that none was answered, of those that ended after T0 (s).
stream() { start "$1" stream ping -D -i 0.02 -W 1 "$(overlay "$2")"; }
silence() {
	stop "$1" stream INT
	log "$1" stream | tr -d '[]' | awk -v t0="$2" -v end="$EPOCHREALTIME" '
		/ bytes from / {
			if (last && $1 > t0 && $1 - last > gap) gap = $1 - last
			last = $1
		}
		END {
			if (end - last > gap) gap = end - last
			printf "%d\n", gap * 1000
		}'
	: >"$LAB_DIR/$1-stream.log"
}

# ---- the accidents --------------------------------------------------------
direct_pair() { # KIND KIND
	two_members "$1" "$2"
	meet alice bob
	path alice bob direct
}
relayed_pair() {
	two_members random random
	meet alice bob
	path alice bob relayed
}

at_flush() { direct_pair nat nat; }
do_flush() { on nat_a conntrack -F; }

# The same address, but another port for all that was open.
at_forget() { direct_pair "box eim apdf random" nat; }
do_forget() { box_says nat_a HUP; }

at_reboot() { direct_pair nat nat; }
do_reboot() {
	local was
	was=$(outer nat_a)
	renumber nat_a "${was##*.}" $((11 + 19 - ${was##*.}))
}

at_move() { direct_pair nat nat; }
do_move() {
	local was to
	was=$(on alice ip -4 -j addr show dev eth0 |
		jq -r '.[0].addr_info[0].local')
	to=192.168.11.$((2 + 7 - ${was##*.}))
	lines "addr add $to/24 dev eth0" "addr del $was/24 dev eth0" \
		"addr replace $to/24 dev eth0" \
		"route replace default via 192.168.11.1" | ip_in alice
}

at_restart() { direct_pair nat nat; }
do_restart() {
	stop s rendezvous KILL
	rendezvous
}

at_relay_restart() { relayed_pair; }
do_relay_restart() { do_restart; }
mended_relay_restart() { path alice bob relayed; }

# The direct way is cut between the providers.
at_cut() { direct_pair nat nat; }
do_cut() {
	local a=203.0.113.11 b=203.0.113.12
	on net nft add rule inet core forward ip saddr $a ip daddr $b drop
	on net nft add rule inet core forward ip saddr $b ip daddr $a drop
}
mended_cut() {
	path alice bob relayed
	on net nft flush chain inet core forward
	must 70 is alice bob .path.kind direct
	must 70 is bob alice .path.kind direct
}

# And is mended.
at_mend() {
	direct_pair nat nat
	do_cut
	path alice bob relayed
}
do_mend() {
	on net nft flush chain inet core forward
	must 70 is alice bob .path.kind direct
	must 70 is bob alice .path.kind direct
}
mended_mend() {
	do_cut
	path alice bob relayed
}

mended() { # NAME
	if declare -F "mended_$1" >/dev/null; then
		"mended_$1"
	else
		path alice bob direct
	fi
}
