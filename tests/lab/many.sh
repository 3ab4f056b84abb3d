# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# A host with thousands of interfaces, as containers and virtual machines make
# them: it connects, and its daemon answers. Drawing: lib.sh.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

PAIRS=700

# pairs HOST FROM TO: cables from the host to itself; one end of each has an
# address in both families.
pairs() {
	seq "$2" "$3" | awk '{
		printf "link add m%d type veth peer name n%d\n", $1, $1
		printf "link set m%d up\nlink set n%d up\n", $1, $1
		printf "addr add 10.%d.%d.1/24 dev m%d\n",
			100 + $1 / 256, $1 % 256, $1
		printf "addr add 2001:db8:f:%x::1/64 dev m%d\n", $1, $1
	}' | ip_in "$1"
}

case_thousands_of_interfaces() {
	two_members
	pairs alice 1 $PAIRS
	meet alice bob
	told direct
	of bob alice .path.remote | grep -q '^203.0.113.11:'
	# And while it runs.
	pairs alice $((PAIRS + 1)) $((PAIRS + 50))
	ip -n "$LAB-alice" link del m1
	on alice hptunctl status
	told direct
	on alice hptun down
	must 10 no_daemon alice
}
