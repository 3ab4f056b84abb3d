# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# A laptop that changes networks while it talks: how long nothing gets through.
#
#            .-- [ nat_a ] wifi, 203.0.113.11 --.
#   alice ---|                                  net --- [ nat_b ] --- bob
#            '-- [ nat_m ] mobile, 203.0.113.13-'
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

# alice and bob have met over the wifi, and alice has a modem, too.
with_modem() { # KIND-OF-THE-MOBILE-NAT
	two_members nat nat
	router nat_m 13 "$1"
	link alice modem nat_m alice
	ip -n "$LAB-nat_m" link set alice master lan
	meet alice bob
	path alice bob direct
}
online() { # IF ADDR VIA: alice's only way out
	lines "addr replace $2/24 dev $1" "route replace default via $3 dev $1" |
		ip_in alice
}
offline() { ip -n "$LAB-alice" addr flush dev "$1"; }
seen_as() { ask alice '.rendezvous[0].seen[0]' | grep -q "^$1:"; }

# The modem is up first, then the wifi goes; and back.
case_wifi_to_mobile_and_back() {
	with_modem nat
	watched alice bob 120
	offline eth0
	online modem 192.168.13.2 192.168.13.1
	must 3 seen_as 203.0.113.13
	sleep 2
	offline modem
	online eth0 192.168.11.2 192.168.11.1
	must 3 seen_as 203.0.113.11
	longest alice 3
	path alice bob direct
}

# The mobile network has a NAT that maps by destination, and takes two seconds.
case_wifi_to_a_mobile_carrier_nat() {
	with_modem random
	watched alice bob 90
	offline eth0
	sleep 2
	online modem 192.168.13.2 192.168.13.1
	longest alice 5
}

# A captive portal: the address is there, but UDP is dropped until somebody has
# agreed to the terms. From then on it takes three seconds at most.
case_captive_portal() {
	with_modem nat
	on nat_m nft insert rule inet router forward \
		meta l4proto udp drop comment portal
	offline eth0
	online modem 192.168.13.2 192.168.13.1
	sleep 8
	start alice watch ping -D -i 0.1 -c 70 -W 1 "$(overlay bob)"
	sleep 0.5
	on nat_m nft flush chain inet router forward
	on nat_m nft add rule inet router forward iifname lan accept
	on nat_m nft add rule inet router forward ct state established,related accept
	local from
	from=$(now_ms)
	must 15 through
	say "through after $(($(now_ms) - from)) ms"
	[ $(($(now_ms) - from)) -le 3000 ] || fail "longer than 3 s"
}
through() { [ "$(replies alice)" -gt 0 ]; }
