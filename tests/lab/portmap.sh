# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# A gateway that opens ports when asked: Debian's miniupnpd on the router, by
# PCP, NAT-PMP and UPnP.
#
#   alice --- [ nat_a, miniupnpd ] --- isp --- net --- s, bob's router
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

# miniupnpd opens no port at a documentation address. So its router has another
# one outside, which leads nowhere but here, as all that is in a namespace.
PUBLIC=11.0.113
real_outside() { # ROUTER
	local n=${SITE[$1]} isp=isp-$1
	local far=198.51.100.$((100 + n))
	lines "route add $PUBLIC.$n dev $1 via $far onlink" | ip_in net
	lines "route add $PUBLIC.$n dev edge" | ip_in "$isp"
	lines "addr add $PUBLIC.$n/32 dev wan" \
		"route replace default via $far src $PUBLIC.$n" \
		"addr del 203.0.113.$n/32 dev wan" | ip_in "$1"
}

# gateway ROUTER [LINE...]: miniupnpd there, with more lines of configuration.
# What it is asked to open goes to chains of its own tables.
gateway() {
	local conf=$LAB_DIR/$1.upnp
	need miniupnpd
	on "$1" nft -f - <<-END
	table inet filter {
		chain miniupnpd { }
		chain prerouting_miniupnpd { }
		chain postrouting_miniupnpd { }
		chain come {
			type nat hook prerouting priority dstnat;
			jump prerouting_miniupnpd
		}
		chain leave {
			type nat hook postrouting priority srcnat - 1;
			jump postrouting_miniupnpd
		}
	}
	insert rule inet router forward ct status dnat accept
	END
	{
		lines ext_ifname=wan listening_ip=lan http_port=5000 \
			uuid=12345678-1234-1234-1234-123456789abc \
			min_lifetime=120 max_lifetime=86400 \
			"lease_file=$LAB_DIR/$1.leases" system_uptime=no \
			"${@:2}" "allow 1024-65535 ${LAN[$1]}.0/24 1024-65535" \
			"deny 0-65535 0.0.0.0/0 0-65535"
	} >"$conf"
	: >"$LAB_DIR/$1.leases"
	gateway_runs "$1"
}
gateway_runs() {
	start "$1" upnpd miniupnpd -d -f "$LAB_DIR/$1.upnp" \
		-P "$LAB_DIR/$1.upnp.pid"
	must 5 on "$1" sh -c 'ss -Hlun | grep -q ":1900 \|:5351 "'
}
some_opened() { [ -n "$(opened "$1")" ]; }

# opened ROUTER: ports that it lets in now, one a line.
opened() {
	on "$1" nft -j list chain inet filter prerouting_miniupnpd |
		jq -r '.nftables[] | .rule // empty | .expr[]
			| .match // empty | select(.left.payload.field == "dport")
			| .right'
}
none_opened() { [ -z "$(opened "$1")" ]; }
port_mapping() { ask "$1" ".port_mapping | $2"; }
mapped_by() { # HOST PROTOCOL
	[ "$(port_mapping "$1" .protocol)" = "$2" ] &&
		[ "$(port_mapping "$1" .state)" = announced ]
}

# one_gateway [LINE...]: alice behind it, set up.
one_gateway() {
	lab_up
	internet
	router nat_a 11 nat
	real_outside nat_a
	host alice
	plug alice nat_a 2
	rendezvous
	founds alice
	gateway nat_a "$@"
}

# opens_by PROTOCOL: alice comes up, has her port opened, and gives it back.
opens_by() {
	on alice hptun up
	must 12 mapped_by alice "$1"
	on alice hptunctl status
	[ "$(port_mapping alice .mapped)" = "$PUBLIC.11:$(ask alice .port)" ]
	[ "$(port_mapping alice .gateway)" = 192.168.11.1 ]
	[ "$(opened nat_a)" = "$(ask alice .port)" ]
	on alice hptun down
	none_opened nat_a || fail "still open: $(opened nat_a)"
}

case_by_pcp() {
	one_gateway enable_natpmp=yes enable_upnp=no
	opens_by PCP
}

# A gateway that was started again has forgotten what it opened, and says so.
case_gateway_that_restarts() {
	one_gateway enable_natpmp=yes enable_upnp=no
	on alice hptun up
	must 5 mapped_by alice PCP
	stop nat_a upnpd
	on nat_a nft flush chain inet filter prerouting_miniupnpd
	on nat_a nft flush chain inet filter miniupnpd
	: >"$LAB_DIR/nat_a.leases"
	sleep 4 # a clock that went back by less proves nothing
	gateway_runs nat_a
	must 8 some_opened nat_a
	must 3 mapped_by alice PCP
}

# A gateway that takes no notice of PCP.
case_by_nat_pmp() {
	one_gateway enable_natpmp=yes enable_upnp=no
	on nat_a nft insert rule inet router input udp dport 5351 \
		@th,64,8 2 drop
	opens_by NAT-PMP
}

case_by_upnp() {
	one_gateway enable_natpmp=no enable_upnp=yes
	opens_by UPnP
}

# What it calls its outer address is not where servers see us: peers are not
# told of it.
case_gateway_that_lies() {
	one_gateway enable_natpmp=yes enable_upnp=no ext_ip=11.7.7.7
	on alice hptun up
	must 5 port_mapping_is alice .state elsewhere
	on alice hptunctl status
	on alice hptunctl status | grep -q 'servers see us under another'
}
port_mapping_is() { [ "$(port_mapping "$1" "$2")" = "$3" ]; }

case_switched_off() {
	one_gateway enable_natpmp=yes enable_upnp=no
	echo "Methods = -mapped" | on alice tee -a /etc/hptun/home/network.conf
	on alice hptun up
	sleep 1
	port_mapping_is alice . null
	none_opened nat_a
}

# Both NATs give each destination a port at random: only through the mapping is
# there a direct path.
case_symmetric_nats_and_one_mapping() {
	lab_up
	internet
	router nat_a 11 random
	real_outside nat_a
	router nat_b 12 random
	host alice
	host bob
	plug alice nat_a 2
	plug bob nat_b 2
	rendezvous
	founds alice
	joins bob
	gateway nat_a enable_natpmp=yes enable_upnp=no
	meet alice bob
	path alice bob direct
	both_reach alice bob
	of bob alice .path.remote | grep -q "^$PUBLIC.11:$(ask alice .port)$"
	on alice hptunctl doctor bob | tee "$LAB_DIR/doctor.log"
	grep "port opened  $PUBLIC.11:.* by PCP at 192.168.11.1, for another" \
		"$LAB_DIR/doctor.log"
}

# netcheck asks by all protocols, and leaves nothing open.
case_netcheck_tells() {
	one_gateway enable_natpmp=yes enable_upnp=yes
	on alice timeout 60 setpriv --reuid 65534 --regid 65534 --clear-groups \
		hptun netcheck --rendezvous s.example.net --json \
		>"$LAB_DIR/facts"
	jq .gateway "$LAB_DIR/facts"
	[ "$(jq -r '.gateway | [.address, (.pcp, .nat_pmp, .upnp
		| .state, .external, .verdict)] | join(" ")' "$LAB_DIR/facts")" = \
	"192.168.11.1$(printf " granted $PUBLIC.11 announced%.0s" 1 2 3)" ]
	[ "$(jq -r .expect.symmetric.path "$LAB_DIR/facts")" = direct ]
	none_opened nat_a || fail "still open: $(opened nat_a)"
	on alice hptun netcheck --rendezvous s.example.net |
		grep -A 3 '^gateway'
}
