# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# A rendezvous that is known by its name alone: the name server is silent at
# first, the address behind the name changes, it has IPv6 alone, it leads into
# the tunnel. alice has a public address; the name server is 203.0.113.22.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

# alice asks the host ns for names, and has none of them in a file.
named_world() {
	need dnsmasq
	# shellcheck disable=SC2034
	FAMILY=46
	lab_up
	internet
	host alice
	attach alice 21
	host ns
	attach ns 22
	rendezvous
	on alice sed -i /s.example.net/d /etc/hosts
	on alice sh -c 'echo nameserver 203.0.113.22 >/etc/resolv.conf'
	founds alice
}
# says ADDRESS[,ADDRESS]: from now on the name server says that of the name.
says() {
	[ ! -e "$LAB_DIR/ns-dns.job" ] || stop ns dns
	start ns dns dnsmasq -k -C /dev/null -R -h -u root -x /run/dns.pid \
		--host-record="s.example.net,$1"
	must 5 listening ns 53
}
begin() { on alice hptun up --no-wait >/dev/null; }
registered() { [ "$(ask alice '.rendezvous[0].state')" = registered ]; }
# soon SECONDS: registered by then; tells when.
soon() {
	local from
	from=$(now_ms)
	must "$1" registered
	say "registered after $(($(now_ms) - from)) ms"
}
answers() { [ "$(ask alice .network)" = home ]; }

# No answer at all, so that a lookup takes its 10 s: the daemon answers
# meanwhile. The name server comes with another network.
case_silent_name_server_holds_nothing_up() {
	named_world
	on ns nft -f - <<-END
	table ip dns {
		chain in {
			type filter hook input priority filter;
			udp dport 53 drop
		}
	}
	END
	begin
	must 1 answers
	sleep 1
	must 1 answers
	says 203.0.113.1
	on ns nft delete table ip dns
	# As when another network is joined: a new way out.
	renumber alice 21 29
	soon 3
}

case_name_server_that_comes_later_is_asked() {
	named_world
	begin
	sleep 2
	[ "$(ask alice '.rendezvous[0].state')" = unresolved ]
	says 203.0.113.1
	soon 5
}

case_address_behind_the_name_changes() {
	named_world
	says 203.0.113.99
	begin
	sleep 2
	! registered || fail "with whom?"
	says 203.0.113.1
	soon 15
}

case_ipv6_alone() {
	named_world
	says 2001:db8::1
	begin
	soon 3
	ask alice '.rendezvous[0].address' | grep -qF '[2001:db8::1]:8888'
}

case_name_that_leads_into_the_tunnel_is_not_followed() {
	named_world
	says 10.9.0.7
	begin
	sleep 2
	[ "$(ask alice '.rendezvous[0].state')" = unresolved ]
	[ "$(ask alice '.rendezvous[0].address')" = null ]
}

# A route that a peer's AllowedIPs set into the tunnel takes no server along.
case_server_behind_a_route_of_ours_is_refused() {
	local key
	named_world
	says 203.0.113.1
	key=$(head -c 32 /dev/urandom | base64)
	on alice hptun peer add dora --public-key "$key" \
		--allowed-ips 203.0.113.0/28
	start alice daemon hptund --foreground --network home
	must 5 grep -q "within the tunnel; keep it out of the AllowedIPs" \
		"$LAB_DIR/alice-daemon.log"
	on alice ip route get 203.0.113.1 | grep -q hptun0
	! registered || fail "through the tunnel?"
	on alice hptun peer remove dora
	on alice hptunctl reload
	soon 10
}
