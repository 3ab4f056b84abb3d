# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Two members behind NATs that this kernel cannot be, made by the NAT box from
# the simulator's model: direct or relayed as theory says. Drawing: lib.sh.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

# boxed KIND KIND PATH: they meet, with that path on both sides, and reach each
# other.
boxed() {
	two_members "$1" "$2"
	meet alice bob
	path alice bob "$3"
	both_reach alice bob
}

CONE="box eim apdf preserve"	# what most home routers are

case_full_cone() { boxed "box eim eif random" "$CONE" direct; }
case_address_restricted_cone() { boxed "box eim adf random" "$CONE" direct; }
case_port_restricted_cone() { boxed "box eim apdf random" "$CONE" direct; }
case_port_restricted_on_a_kernel_nat() { boxed "box eim apdf random" nat direct; }
