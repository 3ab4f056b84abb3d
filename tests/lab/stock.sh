# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Stock WireGuard programs as peers of a node, set up by hptun peer and export.
#
#   alice (node)             net            [ nat_b ]
#   203.0.113.21 -- isp -----+----- isp ------ |  203.0.113.12
#   2001:db8::21                             carol (wg-quick, wireguard-go)
#   inside: 10.9.0.1                         inside: 10.9.0.2
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"
# shellcheck source=tests/lab/portmap.sh
. "$TOP/tests/lab/portmap.sh"

# alice with a public address and a fixed port runs; carol is behind a NAT.
node_and_phone() {
	need wg wg-quick wireguard-go
	# shellcheck disable=SC2034
	FAMILY=46
	lab_up
	internet
	host alice
	attach alice 21
	router nat_b 12 nat
	host carol
	plug carol nat_b 2
	rendezvous
	founds alice
	on alice sed -i 's/^ListenPort = 0/ListenPort = 51820/' $CONF
	on alice hptun up --no-wait
}
CONF=/etc/hptun/home/network.conf

quick() { # HOST FILE: as its user types it
	on "$1" sh -c 'mkdir -p /etc/wireguard; umask 77
		cat >/etc/wireguard/wg0.conf' <"$2"
	on "$1" env WG_QUICK_USERSPACE_IMPLEMENTATION=wireguard-go \
		WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1 \
		wg-quick up wg0 >>"$LAB_DIR/$1-quick.log" 2>&1
}
inner() { # HOST ADDR
	must 10 on "$1" ping -q -c 1 -W 1 "$2"
	on "$1" ping -q -c 3 -i 0.2 -W 2 "$2" | grep -q ' 0% packet loss' ||
		fail "$1 does not reach $2"
}
stock() { ask alice ".peers[] | select(.name == \"$1\") | $2"; }

case_exported_configuration_works_behind_a_nat() {
	node_and_phone
	on alice hptun export phone >"$LAB_DIR/phone.conf"
	grep -qx 'Endpoint = 203.0.113.21:51820' "$LAB_DIR/phone.conf"
	on alice hptunctl reload
	quick carol "$LAB_DIR/phone.conf"
	inner carol 10.9.0.1
	inner carol "$(overlay alice :)"
	inner alice 10.9.0.2
	inner alice "$(stock phone .address6)"
	[ "$(stock phone .state)" = direct ]
	[ "$(stock phone .address)" = 10.9.0.2 ]
	stock phone .path.remote | grep -q '^203.0.113.12:'
	on alice hptunctl status | grep -q '^phone '
	# A second reload leaves the session alone.
	on alice hptunctl reload
	on carol ping -q -c 1 -W 1 10.9.0.1
	! on alice hptun up --peer phone >"$LAB_DIR/up.log" 2>&1 || fail "up phone"
	grep -q 'stock WireGuard peer' "$LAB_DIR/up.log"
	on alice hptun peer remove phone
	on alice hptunctl reload
	[ -z "$(stock phone .state)" ]
	! on carol ping -q -c 1 -W 1 10.9.0.1 || fail "it still answers"
}

# What carol has AllowedIPs for beyond alice: the other members, when alice
# forwards and lends her address.
case_phone_reaches_members_through_the_node() {
	node_and_phone
	router nat_a 11 nat
	host bob
	plug bob nat_a 2
	on alice hptun export phone --address 10.9.0.77 >"$LAB_DIR/phone.conf"
	on alice hptunctl reload
	joins bob
	meet alice bob
	on alice sysctl -qw net.ipv4.ip_forward=1
	on alice nft -f - <<-END
	table ip phones {
		chain out {
			type nat hook postrouting priority srcnat;
			iifname hptun0 oifname hptun0 masquerade
		}
	}
	END
	quick carol "$LAB_DIR/phone.conf"
	inner carol 10.9.0.1
	inner carol "$(overlay bob .)"
}

# The name of a peer that does not answer leads elsewhere by now.
case_endpoint_by_name_is_looked_up_again() {
	node_and_phone
	host dora
	attach dora 22
	wg genkey >"$LAB_DIR/key"
	wg genpsk >"$LAB_DIR/psk"
	named() { on alice sh -c "echo $1 dora.example.net >>/etc/hosts"; }
	named 203.0.113.99
	on alice hptun peer add dora --address 10.9.0.5 --keepalive 5 \
		--public-key "$(wg pubkey <"$LAB_DIR/key")" \
		--preshared-key-file - --endpoint dora.example.net:4000 \
		<"$LAB_DIR/psk"
	on alice hptunctl reload
	cat >"$LAB_DIR/dora.conf" <<-END
	[Interface]
	PrivateKey = $(cat "$LAB_DIR/key")
	ListenPort = 4000
	Address = 10.9.0.5/24
	[Peer]
	PublicKey = $(on alice wg show hptun0 public-key)
	PresharedKey = $(cat "$LAB_DIR/psk")
	AllowedIPs = 10.9.0.1/32
	END
	quick dora "$LAB_DIR/dora.conf"
	sleep 2
	[ "$(stock dora .state)" = idle ]
	on alice sed -i 's/203.0.113.99/203.0.113.22/' /etc/hosts
	must 25 direct_to dora
	inner alice 10.9.0.5
}
direct_to() { [ "$(stock "$1" .state)" = direct ]; }

# A host behind a gateway that opens ports: the one it opened is the endpoint.
case_exported_endpoint_is_the_port_that_a_gateway_opened() {
	need wg wg-quick wireguard-go
	lab_up
	two_sites nat nat
	real_outside nat_a
	gateway nat_a
	rendezvous
	founds alice
	on alice sed -i 's/^ListenPort = 0/ListenPort = 51820/' $CONF
	on alice hptun up --no-wait
	must 10 announced
	on alice hptun export phone >"$LAB_DIR/phone.conf"
	grep -q "^Endpoint = $PUBLIC.11:" "$LAB_DIR/phone.conf"
	on alice hptunctl reload
	quick bob "$LAB_DIR/phone.conf"
	inner bob 10.9.0.1
}
announced() { [ "$(ask alice .port_mapping.state)" = announced ]; }
