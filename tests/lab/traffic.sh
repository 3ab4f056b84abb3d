# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# A transfer over TCP goes on through whatever happens, and ends with the bytes
# that were sent. How long nothing got through is printed and must not be
# absurd; what it is, tests/bench/gaps measures. Drawing: lib.sh.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"
# shellcheck source=tests/lab/accidents.sh
. "$TOP/tests/lab/accidents.sh"

through() { # ACCIDENT
	local t0
	need socat
	"at_$1"
	transfer alice bob 5
	stream bob alice
	sleep 1
	t0=$EPOCHREALTIME
	"do_$1"
	arrived alice bob
	sleep 0.5
	t0=$(silence bob "$t0")
	say "longest silence $t0 ms"
	[ "$t0" -lt 10000 ] || fail "10 s of silence"
	mended "$1"
}

case_conntrack_is_flushed() { through flush; }
case_nat_forgets() { through forget; }
case_nat_reboots_with_another_address() { through reboot; }
case_host_has_another_address() { through move; }
case_rendezvous_restarts() { through restart; }
case_rendezvous_that_relays_restarts() { through relay_restart; }
case_direct_way_is_cut() { through cut; }
case_direct_way_is_mended() { through mend; }

# A host that stands still for 5 s, as in sleep; meanwhile its NAT forgot it.
# (Clocks cannot be set ahead here: ten minutes are slept in the simulator.)
case_host_stands_still() {
	local pid t0
	at_forget
	pid=$(daemon_of alice)
	kill -STOP "$pid"
	do_forget
	sleep 5
	kill -CONT "$pid"
	t0=$(now_ms)
	must 10 on alice ping -q -c 1 -W 1 10.9.0.2
	say "back after $(($(now_ms) - t0)) ms"
	path alice bob direct
	both_reach alice bob
}
