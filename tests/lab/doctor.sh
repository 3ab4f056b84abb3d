# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# What `hptunctl doctor` names as the cause, for every topology of the lab.
# Drawing: lib.sh.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

# diagnosed HOST PEER: the main cause, in the word for programs.
diagnosed() {
	{ on "$1" hptunctl doctor "$2" --json || true; } | jq -r .cause
}
calls() { [ "$(diagnosed "$1" "$2")" = "$3" ]; }

# tells HOST PEER CAUSE: that is named, and stays named; a connection may need a
# while to settle.
tells() {
	if ! { within 20 calls "$@" && sleep 1 && calls "$@"; }; then
		on "$1" hptunctl doctor "$2" || true
		fail "$1 asked about $2: $(diagnosed "$1" "$2"), not $3"
	fi
	say "$1 about $2: $3"
}
both_tell() { tells alice bob "$1"; tells bob alice "${2:-$1}"; }

# ---- where they sit -------------------------------------------------------
# settled KIND KIND: they have met by some path.
settled() {
	two_members "$1" "$2"
	meet alice bob
}

case_direct() {
	settled nat nat
	both_tell direct
}

case_both_symmetric() {
	settled random random
	both_tell both-nats-symmetric
}

case_no_common_family() {
	# shellcheck disable=SC2034
	FAMILY=46
	lab_up
	internet
	router nat_a 11 nat
	router nat_b 12 nat
	host alice
	host bob
	FAMILY=4 plug alice nat_a 2
	FAMILY=6 plug bob nat_b 2
	rendezvous
	founds alice
	joins bob
	meet alice bob
	both_tell no-common-family
}

case_carrier_without_hairpin() {
	lab_up
	internet
	router carrier 11 nat 100.64.11
	router home_a 21 nat "" carrier
	router home_b 22 nat "" carrier
	host alice
	host bob
	plug alice home_a 2
	plug bob home_b 2
	rendezvous
	founds alice
	joins bob
	meet alice bob
	both_tell hairpin-missing
}

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

case_nobody_answers() {
	two_members
	on s nft -f - <<-END
	table inet cloud {
		chain input {
			type filter hook input priority filter;
			udp dport { 8888, 8889 } drop
		}
	}
	END
	asks_for_bob
	tells alice bob rendezvous-unreachable
}

case_peer_is_not_there() {
	two_members
	asks_for_bob
	tells alice bob peer-offline
	tells alice zebra peer-unknown
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
