# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# The lab: hosts, routers and a small internet made of network namespaces.
# This file owns how they are made, entered, watched and removed; it knows
# nothing of what the programs are asked to do in them.
#
#    alice --.                                      .-- bob
#            lan                                  lan
#         [ nat_a ] wan                    wan [ nat_b ]
#    .11     |                                     |     .12
#        isp-nat_a                             isp-nat_b
#            '------------- [ net ] ---------------'
#                              |
#                              s   203.0.113.1, 2001:db8::1
#
# Every edge reaches the others over two routers of the internet and its core,
# so a packet with a low TTL opens the sender's NAT and dies before the
# receiver's. All addresses are documentation addresses, and all of them live
# inside the namespaces: nothing of the real host is touched.
#
# A host is more than a network namespace: it has a mount and a UTS namespace
# too, with an /etc, /run and /var/lib of its own, so that commands are typed in
# it exactly as a user types them. A sleeping process holds it (its keeper).

TOP=${TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
VARIANT=${VARIANT:-gcc}
FAMILY=${FAMILY:-4}		# families of the internet: 4, 6 or 46
LAB_ROOT=/run/hptun-lab
NATBOX=$TOP/build/$VARIANT/tests/natbox/natbox
SLOW=$TOP/build/$VARIANT/tests/natbox/slow
declare -A KEEPER=()		# host -> pid of its keeper
declare -A EDGE=()		# who hangs by a provider -> its number
declare -A SITE=()		# router -> its number
declare -A KIND=()		# router -> its kind
declare -A LAN=()		# router -> its IPv4 LAN, 192.168.N

export PATH="$TOP/build/$VARIANT:/usr/local/sbin:/usr/sbin:/sbin:$PATH"
export LC_ALL=C.UTF-8
unset HPTUN_CONFIG_DIR HPTUN_RUN_DIR HPTUN_STATE_DIR

# ---- words of a case ------------------------------------------------------
say() { printf '%s\n' "$*"; }
fail() { say "failed: $*"; exit 1; }
skip() { say "skipped: $*"; exit 77; }

need() {
	local c
	for c; do
		command -v "$c" >/dev/null || skip "no '$c' command here"
	done
}

now_ms() { local t=${EPOCHREALTIME/./}; echo $((t / 1000)); }

# within SECONDS CMD...: polls until CMD succeeds; false when time is up.
within() {
	local end=$(($(now_ms) + $1 * 1000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# must SECONDS CMD...: the same, and the case fails when time is up.
must() { within "$@" || fail "not within $1 s: ${*:2}"; }

# ---- up and down ----------------------------------------------------------
# A process is told from a later one of the same number by its start time.
proc_id() {
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	echo "$1 $(echo "${stat##*) }" | cut -d ' ' -f 20)"
}

# lab_up: an empty lab, removed when this shell ends.
lab_up() {
	[ "$(id -u)" = 0 ] || skip "network namespaces need root"
	lab_sweep
	LAB=hpt$$
	LAB_DIR=$LAB_ROOT/$LAB
	mkdir -p "$LAB_DIR"
	proc_id $$ >"$LAB_DIR/owner"
	# Where sanitizers write, in builds that have them; seen from all hosts.
	SAN_LOG=$TOP/build/sanitizer-$LAB
	export ASAN_OPTIONS="log_path=$SAN_LOG" UBSAN_OPTIONS="log_path=$SAN_LOG"
	trap 'lab_exit $?' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

lab_exit() {
	local report
	trap - EXIT ERR
	set +e
	[ "$1" = 0 ] || [ "$1" = 77 ] || lab_autopsy
	[ -e "$LAB_DIR/keep" ] || lab_down "$LAB"
	for report in "$SAN_LOG".*; do
		[ -e "$report" ] || exit "$1"
		cat "$report"
		rm "$report"
	done
	say "failed: a sanitizer spoke"
	exit 1
}

# Labs whose owner died without cleaning up, unless they were meant to stay.
lab_sweep() {
	local lab
	for lab in $(lab_dead); do lab_down "$lab"; done
}
lab_dead() {
	local d owner
	for d in "$LAB_ROOT"/*/; do
		[ ! -e "$d/keep" ] || continue
		owner=$(cat "$d/owner" 2>/dev/null) || continue
		[ -n "$owner" ] || continue # it is being made
		[ "$(proc_id "${owner%% *}")" = "$owner" ] || basename "$d"
	done
}

lab_spaces() { ip netns list | awk -v p="$1-" 'index($1, p) == 1 {print $1}'; }
lab_pids() {
	local ns
	for ns in $(lab_spaces "$1"); do ip netns pids "$ns"; done
}

# Programs end by SIGTERM first, so that they may clean up (and a sanitizer
# may speak); whatever is left after 3 s is killed.
lab_down() {
	local lab=$1 pids ns
	pids=$(lab_pids "$lab")
	# shellcheck disable=SC2086
	[ -z "$pids" ] || kill -TERM $pids 2>/dev/null || true
	within 3 lab_quiet "$lab" || {
		pids=$(lab_pids "$lab")
		# shellcheck disable=SC2086
		[ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
		within 2 lab_quiet "$lab" || true
	}
	for ns in $(lab_spaces "$lab"); do ip netns del "$ns" || true; done
	rm -rf "${LAB_ROOT:?}/$lab"
	rmdir "$LAB_ROOT" 2>/dev/null || true
}
lab_quiet() { [ -z "$(lab_pids "$1")" ]; }

# What a person wants to see of a lab that failed.
lab_autopsy() {
	local h
	say "---- the lab when it failed"
	for h in "${!KEEPER[@]}"; do
		on "$h" sh -c 'ls /run/hptun/*.sock' >/dev/null 2>&1 || continue
		say "-- $h# hptunctl status"
		timeout 5 nsenter -t "${KEEPER[$h]}" -m -u -n -r -w \
			hptunctl status 2>&1
	done
	for h in "${!SITE[@]}"; do
		say "-- $h# conntrack -L"
		on "$h" timeout 5 conntrack -L -p udp 2>/dev/null | head -40
	done
	for h in "$LAB_DIR"/*.log; do
		[ -s "$h" ] || continue
		say "-- $(basename "$h")"
		tail -n 40 "$h"
	done
	[ -z "${LAB_KEEP_LOGS:-}" ] || {
		mkdir -p "$LAB_KEEP_LOGS"
		cp "$LAB_DIR"/*.log "$LAB_KEEP_LOGS" 2>/dev/null
	}
}

# ---- hosts ----------------------------------------------------------------
# space NAME [SYSCTL...]: a network namespace with its loopback up.
space() {
	ip netns add "$LAB-$1"
	ip -n "$LAB-$1" link set lo up
	on "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 \
		net.ipv6.conf.default.accept_dad=0 "${@:2}"
}

# What a keeper does before it sleeps. /etc and /var/lib become fresh
# directories of links to what the real ones hold, so that nothing written
# there leaves the host.
# shellcheck disable=SC2016
KEEPER_SCRIPT='
shadow() {
	mkdir -p "/run/real$1"
	mount --bind "$1" "/run/real$1"
	mount -t tmpfs -o mode=755 tmpfs "$1"
	ln -s "/run/real$1"/* "$1/"
	rm -rf "$1/hptun" "$1/wireguard"
}
set -e
hostname "$1"
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
[ -L /var/run ] || mount --bind /run /var/run
shadow /etc
shadow /var/lib
rm -f /etc/hosts /etc/hostname /etc/resolv.conf
echo "$1" >/etc/hostname
printf "%s\n" "127.0.0.1 localhost" "::1 localhost" "$2" >/etc/hosts
: >/etc/resolv.conf
echo $$ >&3
exec 3>&-
exec sleep infinity
'

# host NAME: a namespace to type commands in.
host() {
	local names=""
	! has4 || names="203.0.113.1 s.example.net"
	! has6 || names="$names"$'\n'"2001:db8::1 s.example.net"
	space "$1"
	(cd "$TOP" && exec ip netns exec "$LAB-$1" unshare --mount --uts \
		sh -c "$KEEPER_SCRIPT" keeper "$1" "$names" \
		3>"$LAB_DIR/$1.pid" </dev/null >"$LAB_DIR/$1.log" 2>&1) &
	must 30 test -s "$LAB_DIR/$1.pid"
	KEEPER[$1]=$(cat "$LAB_DIR/$1.pid")
}

# How to get into a host, or into a bare namespace.
entry() {
	ENTRY=(nsenter --net="/run/netns/$LAB-$1")
	[ -z "${KEEPER[$1]:-}" ] ||
		ENTRY=(nsenter -t "${KEEPER[$1]}" -m -u -n -r -w)
}

# on HOST CMD...: runs CMD there.
on() {
	local ENTRY
	entry "$1"
	"${ENTRY[@]}" "${@:2}"
}

# start HOST TAG CMD...: the same in the background; its output goes to a log
# that is shown when the case fails.
start() {
	local ENTRY
	entry "$1"
	"${ENTRY[@]}" "${@:3}" </dev/null >>"$LAB_DIR/$1-$2.log" 2>&1 &
	echo $! >"$LAB_DIR/$1-$2.job"
}
job() { cat "$LAB_DIR/$1-$2.job"; }
log() { cat "$LAB_DIR/$1-$2.log"; }

# stop HOST TAG [SIGNAL]: ends what start began, waits for it.
stop() {
	kill -"${3:-TERM}" "$(job "$1" "$2")" 2>/dev/null
	wait "$(job "$1" "$2")" 2>/dev/null || true
}

# ---- links and addresses --------------------------------------------------
# link A IF B IF: a cable.
link() {
	ip link add "$2" netns "$LAB-$1" type veth peer name "$4" netns "$LAB-$3"
	ip -n "$LAB-$1" link set dev "$2" up
	ip -n "$LAB-$3" link set dev "$4" up
}

# ip_in SPACE: runs the `ip` commands of standard input there.
ip_in() { ip -n "$LAB-$1" -batch - || fail "ip in $1"; }
has4() { case $FAMILY in *4*) ;; *) return 1 ;; esac }
has6() { case $FAMILY in *6*) ;; *) return 1 ;; esac }
lines() { printf '%s\n' "$@"; }

# bytes HOST IF: bytes received and sent on an interface so far.
bytes() {
	ip -n "$LAB-$1" -s -j link show dev "$2" |
		jq '.[0].stats64 | .rx.bytes + .tx.bytes'
}

# ---- the internet ---------------------------------------------------------
FORWARD="net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"

# internet: the core, and the rendezvous host s on it.
internet() {
	# shellcheck disable=SC2086
	space net $FORWARD
	on net nft -f - <<-END
	table inet core {
		chain forward { type filter hook forward priority filter; }
	}
	END
	host s
	link s eth0 net s
	downlink net s 1 1
	uplink s eth0 1 1
}

# The two ends of the cable to edge number N. The router's end is fe80::1 and
# 198.51.100.M.
uplink() { # SPACE IF N M
	{
		lines "addr add fe80::2/64 dev $2"
		! has4 || lines "addr add 203.0.113.$3/32 dev $2" \
			"route add 198.51.100.$4 dev $2" \
			"route add default via 198.51.100.$4 src 203.0.113.$3"
		! has6 || lines "addr add 2001:db8::$3/128 dev $2" \
			"route add default via fe80::1 dev $2"
	} | ip_in "$1"
}

downlink() { # SPACE IF N M [VIA]
	lines "addr add fe80::1/64 dev $2" "addr add 198.51.100.$4/32 dev $2" \
		"route add 203.0.113.$3/32 dev $2 ${5:+via $5 onlink}" \
		"route add 192.0.2.$3/32 dev $2 ${5:+via $5 onlink}" \
		"route add 2001:db8::$3/128 via fe80::2 dev $2" \
		"route add 2001:db8:$3::/64 via fe80::2 dev $2" | ip_in "$1"
}

# attach EDGE N: joins EDGE to the internet by its interface `wan`, behind a
# router of its provider, as 203.0.113.N and 2001:db8::N.
attach() {
	local isp=isp-$1 far=$((100 + $2))
	EDGE[$1]=$2
	# shellcheck disable=SC2086
	space "$isp" $FORWARD
	link "$isp" core net "$1"
	link "$1" wan "$isp" edge
	downlink net "$1" "$2" "$2" "198.51.100.$far"
	lines "addr add fe80::2/64 dev core" \
		"addr add 198.51.100.$far/32 dev core" \
		"route add 198.51.100.$2 dev core" \
		"route add default via 198.51.100.$2" \
		"route add default via fe80::1 dev core" | ip_in "$isp"
	downlink "$isp" edge "$2" "$far"
	uplink "$1" wan "$2" "$far"
}

# renumber EDGE N M: edge number N becomes 203.0.113.M and 2001:db8::M.
renumber() {
	local isp=isp-$1 far=198.51.100.$((100 + ${EDGE[$1]}))
	lines "route replace 203.0.113.$3 dev $1 via $far onlink" \
		"route replace 2001:db8::$3 dev $1 via fe80::2" | ip_in net
	lines "route replace 203.0.113.$3 dev edge" \
		"route replace 2001:db8::$3 dev edge via fe80::2" | ip_in "$isp"
	{
		! has4 || lines "addr replace 203.0.113.$3/32 dev wan" \
			"route replace default via $far src 203.0.113.$3" \
			"addr del 203.0.113.$2/32 dev wan"
		! has6 || lines "addr replace 2001:db8::$3/128 dev wan" \
			"addr del 2001:db8::$2/128 dev wan"
	} | ip_in "$1"
}

# loss PERCENT: of the UDP packets that cross the core.
loss() {
	local some=""
	[ "$1" -ge 100 ] || some="numgen random mod 100 < $1"
	on net nft flush chain inet core forward
	[ "$1" = 0 ] || on net nft add rule inet core forward \
		"meta l4proto udp $some drop"
}

# far ROUTER DELAY SPREAD: what ROUTER passes on takes DELAY to DELAY + SPREAD ms,
# and overtakes within SPREAD (tests/natbox/slow.c). It passes ROUTER twice.
far() {
	local family
	start "$1" slow "$SLOW" "$2" "$3"
	must 5 ip -n "$LAB-$1" link show dev slow
	on "$1" sysctl -qw net.ipv4.conf.{all,slow}.rp_filter=0
	ip -n "$LAB-$1" link set slow up txqueuelen 10000
	for family in 4 6; do
		lines "rule add pref 200 iif slow lookup main" \
			"rule add pref 201 iif lo lookup main" \
			"rule add pref 202 lookup 64" \
			"route add default dev slow table 64" |
			ip -n "$LAB-$1" -$family -batch - || fail "far $1"
	done
}

# ---- routers --------------------------------------------------------------
# router NAME N KIND [LAN [CARRIER]]: an edge router, 203.0.113.N outside, a LAN
# inside (LAN.0/24, else 192.168.N.0/24; 2001:db8:N::/64). IPv6 is never
# translated. With a CARRIER, which is another router, its outside is CARRIER's
# LAN, where it is number N, and it has no IPv6. KIND:
#   nat      keeps the port where it can; drops what nobody asked for
#   open     the same with an open INPUT chain, as routers without a firewall
#            have it: an unsolicited packet gets a conntrack entry, and that
#            takes the port from the flow that comes to open the hole
#   random   a fresh port for each destination ("symmetric")
#   cone     keeps the port, lets anybody in by a port that was used outward,
#            and turns inside what is sent to that from inside (hairpin)
#   firewall translates nothing; the host behind it is 192.0.2.N
#   box ...  the simulator's NAT, of the kind that the words say (tests/natbox)
router() {
	local policy=drop kind=${3%% *} families=inet
	[ "$kind" != open ] || policy=accept
	[ "$kind" != box ] || families=ip6
	SITE[$1]=$2
	KIND[$1]=$kind
	LAN[$1]=${4:-192.168.$2}
	[ "$kind" != firewall ] || LAN[$1]=192.0.2
	# shellcheck disable=SC2086
	space "$1" $FORWARD
	if [ -n "${5:-}" ]; then
		FAMILY=4 plug "$1" "$5" "$2" wan
	else
		attach "$1" "$2"
	fi
	lines "link add lan type bridge" "link set lan up" \
		"addr add ${LAN[$1]}.1/24 dev lan" \
		"addr add fe80::1/64 dev lan" | ip_in "$1"
	ip -n "$LAB-$1" -6 addr add "2001:db8:$2::1/64" dev lan
	on "$1" nft -f - <<-END
	table $families router {
		chain input {
			type filter hook input priority filter; policy $policy;
			iifname != "wan" accept
			ct state established,related accept
			icmpv6 type { nd-neighbor-solicit,
				nd-neighbor-advert, nd-router-advert } accept
		}
		chain forward {
			type filter hook forward priority filter; policy drop;
			iifname "lan" accept
			ct state established,related accept
		}
	}
	END
	"router_$kind" "$1" "$2" "${3#"$kind"}"
}

router_nat() { masquerade "$1" ""; }
router_open() { masquerade "$1" ""; }
router_random() { masquerade "$1" fully-random; }
masquerade() { # ROUTER HOW
	on "$1" nft -f - <<-END
	table inet router {
		chain leave {
			type nat hook postrouting priority srcnat;
			oifname "wan" meta nfproto ipv4 masquerade $2
		}
	}
	END
}

# outer ROUTER: its external IPv4 address.
outer() {
	on "$1" ip -4 -j addr show dev wan | jq -r '.[0].addr_info[0].local'
}

# It remembers who inside used which port. A bridge leaves the packet that turns
# inside to the router.
router_cone() {
	local outside
	outside=$(outer "$1")
	masquerade "$1" ""
	on "$1" sysctl -qw net.bridge.bridge-nf-call-iptables=0 2>/dev/null || true
	on "$1" nft -f - <<-END
	table ip cone {
		map used { type inet_service : ipv4_addr
			flags dynamic, timeout; timeout 120s; }
		chain come {
			type nat hook prerouting priority dstnat;
			ip daddr $outside udp dport 1024-65535 \
				dnat to udp dport map @used
		}
		chain note {
			type filter hook forward priority filter;
			iifname "lan" oifname "wan" meta l4proto udp \
				update @used { udp sport : ip saddr }
		}
		chain leave {
			type nat hook postrouting priority srcnat;
			oifname "lan" ct status dnat iifname "lan" \
				snat to $outside
		}
	}
	insert rule inet router forward ct status dnat accept
	END
}

router_firewall() {
	answers_for_inside "$1"
	lines "addr del 192.0.2.1/24 dev lan" "addr add 192.0.2.1/32 dev lan" \
		"route add 192.0.2.$2 dev lan" | ip_in "$1"
}

# Whoever asks its outer cable for an address that is inside gets an answer.
answers_for_inside() {
	on "$1" sysctl -qw net.ipv4.conf.wan.proxy_arp=1 \
		net.ipv4.neigh.wan.proxy_delay=0
}

# The kernel routes; between inside and outside the NAT box stands. It alone has
# the external address. What comes from the LAN goes to it by a table of its
# own.
router_box() { # NAME N WORDS
	local outside via
	[ -x "$NATBOX" ] || fail "no $NATBOX; try: make check-lab"
	outside=$(outer "$1")
	via=$(on "$1" ip -4 -j route show default | jq -r '.[0].gateway')
	# shellcheck disable=SC2086
	start "$1" box "$NATBOX" "$outside" $3
	must 5 ip -n "$LAB-$1" link show dev outside
	on "$1" sysctl -qw net.ipv4.conf.all.rp_filter=0 \
		net.ipv4.conf.{inside,outside,lan,wan}.rp_filter=0
	answers_for_inside "$1"
	ip -n "$LAB-$1" -4 addr flush dev wan
	lines "link set inside up" "link set outside up" \
		"route replace $via dev wan" \
		"route replace default via $via dev wan" \
		"route add $outside dev outside" \
		"rule add iif lan lookup 10" \
		"route add default dev inside table 10" | ip_in "$1"
}
# box_says ROUTER SIGNAL: HUP, its mappings are forgotten; USR1, it counts them.
box_says() {
	kill -"$2" "$(job "$1" box)"
	must 3 grep -q mappings "$LAB_DIR/$1-box.log"
	log "$1" box | tail -n 1
}

# plug HOST ROUTER N [IF]: a cable into the router's LAN; the host is number N
# there.
plug() {
	local site=${SITE[$2]} if=${4:-eth0}
	link "$1" "$if" "$2" "$1"
	ip -n "$LAB-$2" link set "$1" master lan
	{
		if ! has4; then
			:
		elif [ "${KIND[$2]}" = firewall ]; then
			lines "addr add 192.0.2.$site/32 dev $if" \
				"route add 192.0.2.1 dev $if" \
				"route add default via 192.0.2.1"
		else
			lines "addr add ${LAN[$2]}.$3/24 dev $if" \
				"route add default via ${LAN[$2]}.1"
		fi
		! has6 || lines "addr add 2001:db8:$site::$3/64 dev $if" \
			"route add default via fe80::1 dev $if"
	} | ip_in "$1"
}

# two_sites KIND KIND: the drawing above: alice behind nat_a, bob behind nat_b.
two_sites() {
	internet
	router nat_a 11 "$1"
	router nat_b 12 "$2"
	host alice
	host bob
	plug alice nat_a 2
	plug bob nat_b 2
}

# one_lan KIND: both behind nat_a, numbers 2 and 3 of its LAN.
one_lan() {
	internet
	router nat_a 11 "$1"
	host alice
	host bob
	plug alice nat_a 2
	plug bob nat_a 3
}

# one_carrier KIND: two homes in the net of one carrier's router.
#   alice - [ home_a ] -.
#                      [ carrier ] - internet
#   bob --- [ home_b ] -'
one_carrier() {
	internet
	router carrier 11 "$1" 100.64.11
	router home_a 21 nat "" carrier
	router home_b 22 nat "" carrier
	host alice
	host bob
	plug alice home_a 2
	plug bob home_b 2
}

# two_families A B: as two_sites of kind nat, with a server that has both
# families; alice has those of A, bob those of B.
two_families() {
	FAMILY=46
	internet
	router nat_a 11 nat
	router nat_b 12 nat
	host alice
	host bob
	FAMILY=$1 plug alice nat_a 2
	FAMILY=$2 plug bob nat_b 2
}
