# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Each NAT of the lab is what it claims: a stock program asks a stock STUN server
# with two addresses and two ports (RFC 5780) from behind each of them, all at
# the same time.
#
#   h11 - [ n11 ] -.
#   h12 - [ n12 ] -+- net - s (turnserver, 203.0.113.1 and .2)
#     ...                 |

# claim KIND MAPPING FILTERING HAIRPIN: a row, and the NAT and host for it.
CLAIMS=()
claim() {
	local n=$((11 + ${#CLAIMS[@]}))
	router "n$n" $n "$1"
	host "h$n"
	plug "h$n" "n$n" 2
	CLAIMS+=("$1|$2 $3 $4")
}

stun_server() {
	lines "addr add 203.0.113.2/32 dev eth0" | ip_in s
	lines "route add 203.0.113.2 dev s via 203.0.113.1 onlink" | ip_in net
	start s turn turnserver -L 203.0.113.1 -L 203.0.113.2 --stun-only \
		--no-cli --no-tls --no-dtls -n --log-file stdout \
		--pidfile /run/turn.pid --userdb /run/turn.db
	must 10 on s ss -HOlun "sport = :3479" src 203.0.113.2
}

discover() { # N
	start "h$1" discovery timeout 40 turnutils_natdiscovery \
		-m -f -H -L "$(inner "$1")" -l 4000 203.0.113.1
}
inner() {
	on "h$1" ip -4 -j addr show dev eth0 |
		jq -r '.[0].addr_info[0].local'
}

# found N: what was confirmed, in the words of a claim.
found() {
	log "h$1" discovery | awk '
		function word(s) {
			if (s ~ /Endpoint Independent/) return "EI"
			if (s ~ /Address and Port Dependent/) return "APD"
			if (s ~ /Address Dependent/) return "AD"
			return "?"
		}
		/^No NAT!/ { map = "none" }
		/^NAT with .* Mapping!/ { map = word($0) "M" }
		/Filtering!/ { filter = word($0) "F" }
		/successful hairpinning/ { hair = "hairpin" }
		END { print map, filter, hair ? hair : "-" }'
}

compared() {
	local i n claimed real bad=0
	printf '%-40s %-20s %s\n' NAT claimed confirmed
	for i in "${!CLAIMS[@]}"; do
		n=$((11 + i))
		claimed=${CLAIMS[i]#*|}
		wait "$(job "h$n" discovery)" || true
		real=$(found $n)
		printf '%-40s %-20s %s\n' "${CLAIMS[i]%|*}" "$claimed" "$real"
		[ "$claimed" = "$real" ] || {
			bad=$((bad + 1))
			log "h$n" discovery
		}
	done
	[ $bad = 0 ] || fail "$bad are not what they claim"
}

case_each_is_what_it_claims() {
	need turnserver turnutils_natdiscovery
	lab_up
	internet
	stun_server
	claim nat EIM APDF -
	claim open EIM APDF -
	claim random APDM APDF -
	claim cone EIM EIF hairpin
	# Who has no NAT reaches itself.
	claim firewall none APDF hairpin
	claim "box eim eif preserve" EIM EIF -
	claim "box eim eif random hairpin" EIM EIF hairpin
	claim "box eim adf random" EIM ADF -
	claim "box eim apdf random" EIM APDF -
	claim "box adm adf sequential" ADM ADF -
	claim "box adm apdf random" ADM APDF -
	claim "box apdm eif random" APDM EIF -
	claim "box apdm apdf sequential stride=2" APDM APDF -
	claim "box apdm apdf random" APDM APDF -
	claim "box apdm apdf block" APDM APDF -
	# The model of the kernel, and the first row is the kernel itself.
	claim "box apdm apdf overload poison" EIM APDF -
	local n
	for n in "${!CLAIMS[@]}"; do discover $((11 + n)); done
	compared
}
