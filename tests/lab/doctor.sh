# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# What `hptunctl doctor` names as the cause where something is in the way; what
# it says of NATs: nat.sh, natbox.sh and pair.sh. Drawing: lib.sh.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

# ---- what is in the way ---------------------------------------------------
# They met, and it is there from the start.
case_direct_way_blocked() {
	two_members
	on net nft add rule inet core forward \
		ip saddr 203.0.113.11 ip daddr 203.0.113.12 drop
	on net nft add rule inet core forward \
		ip saddr 203.0.113.12 ip daddr 203.0.113.11 drop
	meet alice bob
	both_tell udp-blocked
}

case_one_way_only() {
	two_members
	on net nft add rule inet core forward \
		ip saddr 203.0.113.11 ip daddr 203.0.113.12 drop
	meet alice bob
	both_tell one-way
}

case_own_firewall_forbids_to_send() {
	two_members
	on alice nft -f - <<-END
	table inet own {
		chain output {
			type filter hook output priority filter;
			oifname "eth0" ip daddr != 203.0.113.1 \
				meta l4proto udp drop
		}
	}
	END
	meet alice bob
	both_tell firewall-here firewall-there
}

# alice is up and wants to reach bob, in vain.
asks_for_bob() {
	! on alice hptun up --peer bob --timeout 3 || fail "bob is reached"
}

case_methods_switched_off() {
	two_members random nat
	on alice sh -c 'sed -i "/^\[Interface\]/a Methods = all, -predict, -birthday" \
		/etc/hptun/home/network.conf; cat /etc/hptun/home/network.conf'
	meet alice bob
	both_tell method-off
}

case_server_serves_others() {
	lab_up
	two_sites nat nat
	on s sh -c 'echo 3j7Cj17O+tDXmtV4HRfEQvw6TDlZaV3MsXjYRLm8lUk= \
		>/run/allowed'
	rendezvous --allow /run/allowed
	founds alice
	joins bob
	asks_for_bob
	tells alice bob rendezvous-refused
}
