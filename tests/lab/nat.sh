# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Two members behind every kind of NAT and firewall that this kernel makes:
# connected always, direct where theory allows. (Two alike: pair.sh. Kinds that
# the kernel lacks: natbox.sh.) Drawing: lib.sh.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

# met KIND [CAUSE]: they meet, with that kind of path on both sides, reach each
# other, and are told why.
met() {
	meet alice bob
	told "$@"
}

pair() { # KIND KIND
	lab_up
	two_sites "$1" "$2"
	membership
}

case_open_input_against_closed() {
	pair open nat
	met direct
}

# The cone lets in whoever comes, by the port that the server saw.
case_random_ports_against_a_cone() {
	pair random cone
	met direct
}

# ---- more than one NAT ----------------------------------------------------
#   alice - [ home_a ] - [ carrier_a ] - internet - [ nat_b ] - bob
case_home_nat_behind_a_carrier() {
	lab_up
	internet
	router carrier_a 11 nat 100.64.11
	router home_a 21 nat "" carrier_a
	router nat_b 12 nat
	host alice
	host bob
	plug alice home_a 2
	plug bob nat_b 2
	membership
	met direct
}

case_double_nat_on_both_sides() {
	lab_up
	internet
	router carrier_a 11 nat 100.64.11
	router home_a 21 nat "" carrier_a
	router carrier_b 12 nat 100.64.12
	router home_b 22 nat "" carrier_b
	host alice
	host bob
	plug alice home_a 2
	plug bob home_b 2
	membership
	met direct
}

homes_of_one_carrier() { # KIND
	lab_up
	one_carrier "$1"
	membership
}

case_homes_of_a_carrier_that_turns_nothing() {
	homes_of_one_carrier nat
	met relayed hairpin-missing
}

case_homes_of_a_carrier_with_hairpin() {
	homes_of_one_carrier cone
	met direct
	of alice bob .path.remote | grep -q '^203.0.113.11:'
}

# one_wlan KIND: both in one LAN whose switch keeps them apart.
one_wlan() {
	lab_up
	one_lan "$1"
	ip -n "$LAB-nat_a" link set alice type bridge_slave isolated on
	ip -n "$LAB-nat_a" link set bob type bridge_slave isolated on
	membership
}

case_isolated_in_one_lan() {
	one_wlan nat
	met relayed hairpin-missing
}

case_isolated_in_one_lan_with_hairpin() {
	one_wlan cone
	met direct
	of alice bob .path.remote | grep -q '^203.0.113.11:'
}

# ---- without NAT ----------------------------------------------------------
case_two_firewalls_without_nat() {
	pair firewall firewall
	met direct
	of alice bob .path.remote | grep -q '^192.0.2.12:'
}

case_firewall_against_nat() {
	pair firewall nat
	met direct
}

case_firewalls_of_both_families() {
	# shellcheck disable=SC2034
	FAMILY=46
	pair firewall firewall
	met direct
}

# ---- one family of two ----------------------------------------------------
families() { # A B
	lab_up
	two_families "$1" "$2"
	membership
}

case_ipv4_only_against_both() {
	families 4 46
	met direct
	[ "$(of bob alice .path.family)" = 4 ]
}

case_ipv6_only_against_both() {
	families 6 46
	met direct
	[ "$(of bob alice .path.family)" = 6 ]
}

case_ipv4_only_against_ipv6_only() {
	families 4 6
	met relayed no-common-family
	[ "$(of alice bob .path.family)" = 4 ]
	[ "$(of bob alice .path.family)" = 6 ]
}
