# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# The rendezvous answers stock STUN clients, on both of its ports.
#
#   alice --- [ nat_a ] 203.0.113.11 --- isp --- net --- s (hptun-rendezvous)
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

one_site() { # KIND
	lab_up
	internet
	router nat_a 11 "$1"
	host alice
	plug alice nat_a 2
	rendezvous
}

case_turnutils_stunclient() {
	need turnutils_stunclient
	one_site nat
	local port
	for port in 8888 8889; do
		on alice timeout 10 turnutils_stunclient -p $port 203.0.113.1 |
			tee "$LAB_DIR/stun"
		grep -q 'UDP reflexive addr: 203.0.113.11:' "$LAB_DIR/stun"
	done
}

case_turnutils_stunclient_over_ipv6() {
	need turnutils_stunclient
	# shellcheck disable=SC2034
	FAMILY=6
	one_site nat
	on alice timeout 10 turnutils_stunclient -p 8888 2001:db8::1 | tee "$LAB_DIR/stun"
	grep -q 'UDP reflexive addr: .*2001:db8:11::2' "$LAB_DIR/stun"
}

case_stun_client() {
	need stun
	one_site nat
	seen 8888
}

# From one socket: one address for both of its ports, or one for each.
case_both_ports_see_one_mapping() {
	need stun
	one_site nat
	seen 8888 >"$LAB_DIR/a"
	seen 8889 | diff "$LAB_DIR/a" -
}

case_both_ports_see_two_mappings() {
	need stun
	one_site random
	seen 8888 >"$LAB_DIR/a"
	seen 8889 >"$LAB_DIR/b"
	! cmp "$LAB_DIR/a" "$LAB_DIR/b" || fail "one mapping"
}
seen() {
	on alice timeout 20 stun "203.0.113.1:$1" 1 -v -p 5000 2>&1 |
		grep -a 'MappedAddress = 203.0.113.11:' | sort -u | grep .
}
