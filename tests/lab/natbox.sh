# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Two members behind NATs that this kernel cannot be, made by the NAT box from
# the simulator's model: direct or relayed as theory says. Drawing: lib.sh.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

# boxed KIND KIND PATH [CAUSE...]: they meet, with that path on both sides, reach
# each other, and are told why.
boxed() {
	two_members "$1" "$2"
	meet alice bob
	told "${@:3}"
}

CONE="box eim apdf preserve"	# what most home routers are

case_full_cone() { boxed "box eim eif random" "$CONE" direct; }
case_address_restricted_cone() { boxed "box eim adf random" "$CONE" direct; }
case_port_restricted_cone() { boxed "box eim apdf random" "$CONE" direct; }
case_port_restricted_on_a_kernel_nat() { boxed "box eim apdf random" nat direct; }

# ---- mapping by destination ----------------------------------------------
# By address: the port toward the peer is another than the server saw, yet one
# that the peer's answers keep. A cone that looks at addresses hears it at once.
case_adm_against_address_restricted() {
	boxed "box adm apdf random" "box eim adf preserve" direct
}
case_apdm_against_full_cone() {
	boxed "box apdm apdf random" "box eim eif preserve" direct
}

# ---- the home behind a carrier --------------------------------------------
# Both in one carrier's net, whose NAT turns inside what is sent to itself, and
# filters all the same.
homes() { # KIND
	lab_up
	one_carrier "$1"
	membership
	meet alice bob
}
case_carrier_with_hairpin() {
	homes "box eim apdf random hairpin"
	told direct
}
case_carrier_without_hairpin() {
	homes "box eim apdf random"
	told relayed hairpin-missing
}

# ---- time -----------------------------------------------------------------
# The NAT forgets after 30 s. Netcheck finds that out; a path that nobody uses
# stays all the while, for keepalives come before.
case_lifetime_of_30_s() { # long
	boxed "box eim apdf random lifetime=30" "$CONE lifetime=30" direct
	local before
	before=$(of alice bob .path.remote)
	on alice timeout 90 hptun netcheck --rendezvous s.example.net --long \
		--json >"$LAB_DIR/facts"
	jq -c .ipv4 "$LAB_DIR/facts"
	jq -e '.ipv4.lifetime | .alive_s == 25 and .dead_s == 60' \
		"$LAB_DIR/facts"
	[ "$(of alice bob .path.remote)" = "$before" ]
	on bob ping -q -c 1 -W 2 "$(overlay alice)" | grep -q ' 0% packet loss'
	path alice bob direct
}

case_box_that_forgets() {
	boxed "box eim apdf random" "$CONE" direct
	watched alice bob 80
	box_says nat_a HUP
	longest alice 3
	path alice bob direct
	both_tell direct
}

# ---- ports that have to be guessed ----------------------------------------
# guessed KIND KIND: the same as boxed, for kinds where the servers cannot tell
# the port: a direct path within 10 s of the start all the same.
guessed() {
	local ms
	two_members "$1" "$2"
	meet alice bob
	must 20 is alice bob .path.kind direct
	must 20 is bob alice .path.kind direct
	told direct
	ms=$(of alice bob .direct_ms)
	say "direct after $ms ms"
	[ "${ms%.*}" -lt 10000 ] || fail "later than 10 s"
}

case_sequential_ports_are_predicted() {
	guessed "box apdm apdf sequential" "$CONE"
}
case_sequential_ports_with_a_stride() {
	guessed "box apdm apdf sequential stride=4" nat
}
case_random_ports_are_met() { guessed "box apdm apdf random" "$CONE"; }
case_random_ports_of_a_kernel_nat_are_met() { guessed random nat; }
case_random_ports_by_address_are_met() { guessed "$CONE" "box adm apdf random"; }

# A block of ports a subscriber, on both sides: theory allows a direct path by
# guessing in the background, which may take long. Connected all the while.
case_blocks_on_both_sides_are_connected() {
	two_members "box apdm apdf block" "box apdm apdf block"
	meet alice bob
	both_reach alice bob
}
