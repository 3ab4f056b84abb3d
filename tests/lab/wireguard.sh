# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# hptund as a plain WireGuard program, against Debian's wireguard-go.
#
#   carol (wireguard-go)      net      dora (hptund)
#   203.0.113.21 -- isp ------+------ isp -- 203.0.113.22
#   2001:db8::21                             2001:db8::22
#   inside: 10.7.0.1, fd07::1                10.7.0.2, fd07::2

CAROL4=203.0.113.21 CAROL6="[2001:db8::21]"
DORA4=203.0.113.22 DORA6="[2001:db8::22]"

# tunnel HOST PROGRAM N: wg0 with a key, port 51820 and its inner addresses.
tunnel() {
	# shellcheck disable=SC2086
	on "$1" $2 wg0 >>"$LAB_DIR/$1-wg0.log" 2>&1
	keys "$1"
	on "$1" sh -c 'umask 77; cat >/run/key' <"$LAB_DIR/$1.key"
	on "$1" wg set wg0 private-key /run/key listen-port 51820
	inside "$1" "$3"
}
keys() {
	(umask 77; wg genkey >"$LAB_DIR/$1.key")
	wg pubkey <"$LAB_DIR/$1.key" >"$LAB_DIR/$1.pub"
}
inside() { # SPACE N
	lines "addr add 10.7.0.$2/24 dev wg0" \
		"addr add fd07::$2/64 dev wg0 nodad" \
		"link set wg0 up" | ip_in "$1"
}

# knows HOST PEER N [SETTING...]: makes PEER, number N, a peer of HOST.
knows() {
	on "$1" wg set wg0 peer "$(pub "$2")" \
		allowed-ips "10.7.0.$3/32,fd07::$3/128" "${@:4}"
}
pub() { cat "$LAB_DIR/$1.pub"; }
secret() { # the same preshared key for both, in /run/psk
	local h
	wg genpsk >"$LAB_DIR/psk"
	for h in carol dora; do
		on "$h" sh -c 'umask 77; cat >/run/psk' <"$LAB_DIR/psk"
	done
}

# two_ends [PROGRAM [OTHER]]: carol runs PROGRAM (wireguard-go), dora OTHER
# (hptund).
two_ends() {
	local h program=${1:-wireguard-go}
	need wg "${program%% *}"
	# shellcheck disable=SC2034
	FAMILY=46
	lab_up
	internet
	for h in carol:21 dora:22; do
		host "${h%:*}"
		attach "${h%:*}" "${h#*:}"
	done
	tunnel carol "$program" 1
	tunnel dora "${2:-hptund}" 2
	keys stranger
}

inner_ping() { # HOST ADDR: 3 of 3 come back
	on "$1" ping -q -c 3 -i 0.2 -W 2 "$2" | grep -q ' 0% packet loss' ||
		fail "$1 does not reach $2"
}
both_families() {
	must 5 on "$1" ping -q -c 1 -W 1 "10.7.0.$2"
	inner_ping "$1" "10.7.0.$2"
	inner_ping "$1" "fd07::$2"
}
# The one who knows where the other is pings first.
carol_first() { both_families carol 2; both_families dora 1; }
dora_first() { both_families dora 1; both_families carol 2; }

# ---- handshakes -----------------------------------------------------------
case_initiates_over_ipv4() {
	two_ends
	knows carol dora 2
	knows dora carol 1 endpoint $CAROL4:51820
	dora_first
}

case_initiates_over_ipv6_with_psk() {
	two_ends
	secret
	knows carol dora 2 preshared-key /run/psk
	knows dora carol 1 preshared-key /run/psk endpoint "$CAROL6:51820"
	dora_first
}

case_responds_over_ipv4_with_psk() {
	two_ends
	secret
	knows carol dora 2 preshared-key /run/psk endpoint $DORA4:51820
	knows dora carol 1 preshared-key /run/psk
	carol_first
}

case_responds_over_ipv6() {
	two_ends
	knows carol dora 2 endpoint "$DORA6:51820"
	knows dora carol 1
	carol_first
	on dora wg show wg0 endpoints | grep -qF "$CAROL6:51820"
}

case_wrong_psk_makes_no_tunnel() {
	two_ends
	secret
	knows carol dora 2
	knows dora carol 1 preshared-key /run/psk endpoint $CAROL4:51820
	! on dora ping -q -c 2 -W 1 10.7.0.1 || fail "it answered"
	[ "$(on dora wg show wg0 latest-handshakes | cut -f 2)" = 0 ]
}

case_two_hptund_talk() {
	two_ends hptund
	knows carol dora 2 endpoint $DORA4:51820
	knows dora carol 1 endpoint $CAROL4:51820
	carol_first
}

# ---- rekey ----------------------------------------------------------------
# Each side forgets the other and meets it anew while a ping runs.
case_new_handshake_under_a_ping() {
	two_ends
	knows carol dora 2 endpoint $DORA4:51820
	knows dora carol 1 endpoint $CAROL4:51820
	carol_first
	start dora ping ping -q -c 80 -i 0.05 -W 1 10.7.0.1
	sleep 0.5
	on carol wg set wg0 peer "$(pub dora)" remove
	knows carol dora 2 endpoint $DORA4:51820
	on carol ping -q -c 1 -W 2 10.7.0.2
	sleep 0.5
	on dora wg set wg0 peer "$(pub carol)" remove
	knows dora carol 1 endpoint $CAROL4:51820
	must 10 gone "$(job dora ping)"
	[ "$(lost dora ping)" -lt 20 ] || fail "$(lost dora ping) of 80 lost"
	carol_first
}
gone() { ! kill -0 "$1"; }
# lost HOST TAG: packets that a ping did not get back.
lost() {
	log "$1" "$2" | awk '/packets transmitted/ { print $1 - $4 }'
}

# REKEY_AFTER_TIME is 120 s: a session older than that is replaced, and no
# packet is lost for it.
case_rekeys_by_itself_after_two_minutes() { # long
	[ -n "${LONG:-}" ] || skip "takes 130 s; LONG=1 and make check run it"
	two_ends
	knows carol dora 2
	knows dora carol 1 endpoint $CAROL4:51820
	dora_first
	local first
	first=$(on dora wg show wg0 latest-handshakes | cut -f 2)
	start dora ping ping -q -c 640 -i 0.2 -W 1 10.7.0.1
	must 140 gone "$(job dora ping)"
	[ "$(lost dora ping)" = 0 ] || fail "$(lost dora ping) lost"
	[ "$(on dora wg show wg0 latest-handshakes | cut -f 2)" -gt "$first" ]
}

# ---- load -----------------------------------------------------------------
case_large_transfers_both_ways() {
	need iperf3 jq
	two_ends
	knows carol dora 2
	knows dora carol 1 endpoint $CAROL4:51820
	dora_first
	start carol iperf iperf3 -s
	must 5 on dora iperf3 -c 10.7.0.1 -n 1K
	local opt
	for opt in "" -R --bidir "-6" "-u -b 50M -l 1300"; do
		# shellcheck disable=SC2086
		on dora iperf3 -J -t 2 $opt -c "$(carol_for "$opt")" \
			>"$LAB_DIR/iperf.json" || fail "iperf3 $opt"
		jq -r '.end.sum_received // .end.sum | "\(.bits_per_second/1e6
			| floor) Mbit/s"' "$LAB_DIR/iperf.json" |
			sed "s/^/iperf3 $opt: /"
		jq -e '(.end.sum_received // .end.sum).bytes > 5e6' \
			"$LAB_DIR/iperf.json" >/dev/null || fail "iperf3 $opt"
	done
}
carol_for() { case $1 in -6) echo fd07::1 ;; *) echo 10.7.0.1 ;; esac }

# What arrives is what was sent, each way, byte for byte.
case_transfers_are_unaltered() {
	need socat
	two_ends
	knows carol dora 2
	knows dora carol 1 endpoint $CAROL4:51820
	dora_first
	head -c 40000000 /dev/urandom >"$LAB_DIR/sent"
	carry dora carol 10.7.0.1
	carry carol dora 10.7.0.2
}
carry() { # FROM TO ADDR
	start "$2" sink socat -u TCP-LISTEN:7000,reuseaddr \
		OPEN:/run/received,creat,trunc
	must 5 tcp_listens "$2" 7000
	on "$1" timeout 60 socat -u - "TCP:$3:7000" <"$LAB_DIR/sent"
	must 10 gone "$(job "$2" sink)"
	on "$2" cat /run/received | cmp - "$LAB_DIR/sent"
}
tcp_listens() { on "$1" ss -Hltn "sport = :$2" | grep -q .; }

# ---- roaming --------------------------------------------------------------
# One end takes a new address and a new port while it pings the other. The
# first packet from there moves the endpoint; nothing but what was in flight
# is lost.
roams() { # WHO OTHER N-OF-OTHER NUMBER
	start "$1" ping ping -q -c 60 -i 0.05 -W 1 "10.7.0.$3"
	sleep 1
	renumber "$1" "$4" 29
	on "$1" wg set wg0 listen-port 40404
	must 10 gone "$(job "$1" ping)"
	say "$(lost "$1" ping) of 60 lost"
	[ "$(lost "$1" ping)" -le 10 ] || fail "more than what was in flight"
	on "$2" wg show wg0 endpoints | grep -qF 203.0.113.29:40404 ||
		fail "$2 did not follow"
	inner_ping "$2" "10.7.0.$(($3 == 1 ? 2 : 1))"
}

case_hptund_roams() {
	two_ends
	knows carol dora 2 endpoint $DORA4:51820
	knows dora carol 1 endpoint $CAROL4:51820
	carol_first
	roams dora carol 1 22
}

case_follows_a_peer_that_roams() {
	two_ends
	knows carol dora 2 endpoint $DORA4:51820
	knows dora carol 1 endpoint $CAROL4:51820
	carol_first
	roams carol dora 2 21
}

# ---- the interface --------------------------------------------------------
# The interface goes into another namespace, its UDP socket stays: there is no
# way to the internet in there but the tunnel.
case_interface_moves_to_another_namespace() {
	two_ends
	space inner
	knows carol dora 2
	knows dora carol 1 endpoint $CAROL4:51820
	dora_first
	ip -n "$LAB-dora" link set wg0 netns "$LAB-inner"
	inside inner 2
	must 5 on inner ping -q -c 1 -W 1 10.7.0.1
	on inner ping -q -c 3 -i 0.2 fd07::1
	inner_ping carol 10.7.0.2
	on dora wg show wg0 endpoints | grep -qF $CAROL4:51820 ||
		fail "the socket for wg is gone"
}

# A script's next command finds the interface and the socket.
case_background_only_once_it_serves() {
	lab_up
	internet
	host dora
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		on dora sh -c "hptund wg$i && wg show wg$i >/dev/null &&
			ip link set wg$i up"
	done
}

case_ends_when_its_link_is_deleted() {
	two_ends
	on dora ip link del wg0
	must 3 sh -c "! nsenter -t ${KEEPER[dora]} -m -r test -e \
		/var/run/wireguard/wg0.sock"
	must 3 no_hptund dora
	on dora hptund wg0
	on dora wg show wg0
}
no_link() { ! ip -n "$LAB-$1" link show dev "$2"; }
no_hptund() { [ -z "$(hptund_of "$1")" ]; }
hptund_of() { # HOST: pid
	local p
	for p in $(ip netns pids "$LAB-$1"); do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" != hptund ] || echo "$p"
	done
}

case_leaves_nothing_behind() {
	two_ends
	kill -TERM "$(hptund_of dora)"
	must 3 no_hptund dora
	must 1 no_link dora wg0
	! on dora test -e /var/run/wireguard/wg0.sock || fail "so is its socket"
}

case_starts_over_what_a_kill_left() {
	two_ends
	kill -KILL "$(hptund_of dora)"
	must 3 no_hptund dora
	must 2 no_link dora wg0
	on dora hptund wg0
	on dora wg show wg0
}

case_second_daemon_is_told_who_has_it() {
	two_ends
	local out
	! out=$(on dora hptund wg0 2>&1) || fail "a second one started"
	say "$out"
	[ -n "$out" ] || fail "it says nothing"
	on dora wg show wg0 >/dev/null
	[ "$(hptund_of dora | wc -l)" = 1 ]
}

# ---- wg -------------------------------------------------------------------
case_wg_set_and_show() {
	two_ends
	local c
	c=$(pub carol)
	secret
	knows dora carol 1 endpoint $CAROL4:51820 persistent-keepalive 25 \
		preshared-key /run/psk
	on dora wg set wg0 fwmark 0x1234 listen-port 4242
	[ "$(on dora wg show wg0 listen-port)" = 4242 ]
	[ "$(on dora wg show wg0 fwmark)" = 0x1234 ]
	[ "$(on dora wg show wg0 public-key)" = "$(pub dora)" ]
	[ "$(on dora wg show wg0 private-key)" = "$(cat "$LAB_DIR/dora.key")" ]
	[ "$(on dora wg show wg0 peers)" = "$c" ]
	[ "$(on dora wg show wg0 endpoints)" = "$c"$'\t'"$CAROL4:51820" ]
	[ "$(on dora wg show wg0 allowed-ips)" = \
		"$c"$'\t'"10.7.0.1/32 fd07::1/128" ]
	[ "$(on dora wg show wg0 persistent-keepalive)" = "$c"$'\t'25 ]
	[ "$(on dora wg show wg0 preshared-keys)" = \
		"$c"$'\t'"$(cat "$LAB_DIR/psk")" ]
	# An allowed IP that another peer claims moves to that peer.
	on dora wg set wg0 peer "$(pub stranger)" allowed-ips 10.7.0.1/32
	on dora wg show wg0 allowed-ips | grep -q "^$c.fd07::1/128$"
	on dora wg set wg0 peer "$c" persistent-keepalive off \
		preshared-key /dev/null allowed-ips "" remove
	[ "$(on dora wg show wg0 peers)" = "$(pub stranger)" ]
	on dora wg set wg0 fwmark 0 private-key /dev/null
	[ "$(on dora wg show wg0 private-key)" = "(none)" ]
}

case_wg_setconf_addconf_syncconf() {
	two_ends
	on dora sh -c 'umask 77; cat >/run/wg.conf' <<-END
	[Interface]
	PrivateKey = $(cat "$LAB_DIR/dora.key")
	ListenPort = 51820
	[Peer]
	PublicKey = $(pub carol)
	AllowedIPs = 10.7.0.1/32, fd07::1/128
	Endpoint = $CAROL4:51820
	PersistentKeepalive = 5
	END
	knows carol dora 2
	on dora wg setconf wg0 /run/wg.conf
	dora_first
	on dora wg showconf wg0 >"$LAB_DIR/shown"
	grep -qx "PublicKey = $(pub carol)" "$LAB_DIR/shown"
	grep -qx "AllowedIPs = 10.7.0.1/32, fd07::1/128" "$LAB_DIR/shown"
	# syncconf with the same file keeps the session. (The allowed IPs are
	# replaced, so a packet may meet the moment in between.)
	start dora ping ping -q -c 20 -i 0.05 -W 1 10.7.0.1
	on dora wg syncconf wg0 /run/wg.conf
	must 5 gone "$(job dora ping)"
	[ "$(lost dora ping)" -le 2 ]
	on dora sh -c "printf '[Peer]\nPublicKey = %s\nAllowedIPs = 10.8.0.0/24\n' \
		'$(pub stranger)' >/run/more.conf"
	on dora wg addconf wg0 /run/more.conf
	[ "$(on dora wg show wg0 peers | wc -l)" = 2 ]
	on dora wg syncconf wg0 /run/wg.conf
	[ "$(on dora wg show wg0 peers)" = "$(pub carol)" ]
}

# The cross-platform protocol, spoken by hand: bad input is refused by errno.
case_uapi_refuses_nonsense() {
	need socat
	two_ends
	knows dora carol 1
	local request
	uapi 'get=1' | grep -q '^errno=0$' || fail "a plain get"
	for request in 'set=1\nlisten_port=65536' 'set=1\nprivate_key=abcd' \
		'set=1\nfwmark=-1' 'set=1\nnonsense=1' 'set=1\npublic_key=zz' \
		"set=1\nallowed_ip=10.0.0.0/8" \
		"set=1\npublic_key=$HEX\nallowed_ip=10.0.0.0/33" \
		"set=1\npublic_key=$HEX\nendpoint=1.2.3.4" \
		"set=1\npublic_key=$HEX\npersistent_keepalive_interval=65536"
	do
		uapi "$request" | grep -q '^errno=-\?[1-9]' ||
			fail "taken: $request"
	done
	uapi 'get=1' | grep -q '^errno=0$' || fail "a get after them"
}
HEX=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
uapi() {
	# shellcheck disable=SC2059
	printf "$1\n\n" | on dora socat -t 2 - \
		UNIX-CONNECT:/var/run/wireguard/wg0.sock
}

# ---- wg-quick -------------------------------------------------------------
# wg-quick takes the kernel's WireGuard where there is one.
quick() { on dora env WG_QUICK_USERSPACE_IMPLEMENTATION=hptund wg-quick "$@"; }
quick_conf() { # ALLOWED-IPS
	on dora sh -c 'umask 77; mkdir -p /etc/wireguard
		cat >/etc/wireguard/q0.conf' <<-END
	[Interface]
	PrivateKey = $(cat "$LAB_DIR/dora.key")
	Address = 10.7.0.2/24, fd07::2/64
	[Peer]
	PublicKey = $(pub carol)
	AllowedIPs = $1
	Endpoint = $CAROL4:51820
	END
}
quick_ends() {
	need wg-quick
	two_ends
	! ip -n "$LAB-net" link add kernelwg type wireguard 2>/dev/null ||
		skip "wg-quick would take this kernel's WireGuard"
	on dora ip link del wg0
	knows carol dora 2
}

case_wg_quick_up_and_down() {
	quick_ends
	quick_conf "10.7.0.1/32, fd07::1/128"
	quick up q0
	both_families dora 1
	quick down q0
	must 3 no_hptund dora
	quick up q0
	both_families dora 1
}

# Everything through the tunnel: the outer packets carry the fwmark and do not
# go round in a circle.
case_wg_quick_with_the_default_route() {
	need nft
	quick_ends
	on carol ip addr add 10.99.0.1/32 dev lo
	quick_conf "0.0.0.0/0, ::/0"
	quick up q0
	must 5 on dora ping -q -c 1 -W 1 10.99.0.1
	on dora wg show q0 endpoints | grep -qF $CAROL4:51820
	inner_ping dora 10.7.0.1
	quick down q0
}
