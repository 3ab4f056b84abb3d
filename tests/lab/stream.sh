# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Members whose UDP is blocked: over TCP, over TLS, and back. Drawing: lib.sh.
# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"
# shellcheck source=tests/lab/accidents.sh
. "$TOP/tests/lab/accidents.sh"

accepting() { on "$1" ss -Hltn "sport = :$2" | grep -q .; }

# deaf ROUTER: no UDP crosses it any more; hearing ROUTER: it does again.
deaf() {
	on "$1" nft -f - <<-END
	table inet deaf {
		chain cross {
			type filter hook forward priority -10;
			meta l4proto udp drop
		}
	}
	END
}
hearing() { on "$1" nft delete table inet deaf; }

# over HOST WORD: what carries the words of its (first) server.
over() { [ "$(ask "$1" '.rendezvous[0].over')" = "$2" ]; }

serves() { # OPTION...: a server with streams
	start s rendezvous hptun-rendezvous "$@"
	must 5 listening s 8888
}

# An authority of our own, and certificates: authority, then certificate NAME
# FILE for s. They are in /etc/tls of s; alice has the authority's.
authority() {
	on s sh -ec 'mkdir -p /etc/tls; cd /etc/tls
		openssl req -x509 -newkey ed25519 -nodes -days 2 -keyout ca.key \
			-out ca.pem -subj /CN=lab 2>/dev/null'
	on s cat /etc/tls/ca.pem | on alice sh -c 'cat >/etc/ca.pem'
}
certificate() { # NAME FILE
	# shellcheck disable=SC2016
	on s sh -ec 'cd /etc/tls
		openssl req -newkey ed25519 -nodes -keyout $2.key -out $2.csr \
			-subj /CN=$1 2>/dev/null
		echo subjectAltName=DNS:$1 >$2.ext
		openssl x509 -req -in $2.csr -CA ca.pem -CAkey ca.key -days 2 \
			-CAcreateserial -extfile $2.ext -out $2.pem 2>/dev/null' \
		sh "$1" "$2"
}
serves_tls() { # with the certificate `s`
	serves --listen-tls 0.0.0.0 --cert /etc/tls/s.pem --key /etc/tls/s.key
	must 5 accepting s 443
}
believes() { # HOST ARG...: `up`, and the authority of the lab is the system's
	start "$1" up env SSL_CERT_FILE=/etc/ca.pem hptun up "${@:2}"
}
# closed ROUTER PORT: no TCP to that port crosses it.
closed() {
	on "$1" nft -f - <<-END
	table inet closed {
		chain cross {
			type filter hook forward priority -10;
			iifname "lan" tcp dport $2 drop
		}
	}
	END
}

# Beside it a crowd connects and says too little: it is kept to its share, and
# closed.
case_udp_blocked_goes_over_tcp_and_comes_back() {
	lab_up
	two_sites nat nat
	serves --listen-tcp 0.0.0.0
	must 5 accepting s 8888
	founds alice
	joins bob
	# shellcheck disable=SC2016
	start bob crowd timeout 25 bash -c 'for i in $(seq 100); do
		exec {fd}<>/dev/tcp/203.0.113.1/8888 && printf "\0" >&$fd
	done; sleep 20'
	must 5 crowded
	[ "$(connections)" -le 64 ] || fail "no limit by source"
	deaf nat_a
	meet alice bob
	is alice bob .path.kind relayed || fail "not relayed"
	over alice tcp || fail "alice is not over TCP"
	over bob udp || fail "bob is not over UDP"
	both_reach alice bob
	on alice hptunctl status
	on alice hptunctl status | grep -q 'registered over TCP'
	on bob hptunctl doctor alice | grep 'no rendezvous is reached by UDP at'
	must 15 alone
	kill -USR1 "$(job s rendezvous)"
	must 3 grep -q 'refused at a limit, 64 closed' "$LAB_DIR/s-rendezvous.log"
	watched alice bob 150
	hearing nat_a
	must 18 over alice udp
	path alice bob direct
	longest alice 1
	[ "$(replies alice)" -ge 145 ] ||
		fail "$((150 - $(replies alice))) pings were lost"
	[ -z "$(on alice ss -Htn state established)" ] || fail "TCP still stands"
}

case_udp_and_other_ports_blocked_goes_over_tls() {
	lab_up
	two_sites nat nat
	authority
	certificate s.example.net s
	serves_tls
	founds alice
	joins bob
	deaf nat_a
	closed nat_a 1-442
	closed nat_a 444-65535
	up bob --no-wait
	ups bob
	start alice netcheck env SSL_CERT_FILE=/etc/ca.pem hptun netcheck \
		--rendezvous s.example.net --json
	believes alice --peer bob
	ups alice
	over alice tls || fail "alice is not over TLS"
	both_reach alice bob
	wait "$(job alice netcheck)"
	log alice netcheck >"$LAB_DIR/facts"
	jq -e '.udp == false and .expect.public.path == "relayed" and
		(.rendezvous[0] | .tls.works and
		 .tls.believed_by == "system" and .tcp.why == "no answer")' \
		"$LAB_DIR/facts" || fail "$(cat "$LAB_DIR/facts")"

	# What arrives is what was sent, though one packet in a hundred is lost.
	on nat_a nft add rule inet closed cross \
		'tcp sport 443 numgen random mod 100 < 1 counter drop'
	on nat_a nft add rule inet closed cross \
		'tcp dport 443 numgen random mod 100 < 1 counter drop'
	transfer alice bob 2
	arrived alice bob
	on nat_a nft list table inet closed | grep 'counter packets [1-9]'

	# A new certificate, without a restart.
	certificate s.example.net s2
	on s sh -ec 'cd /etc/tls; cp s2.pem s.pem; cp s2.key s.key'
	kill -HUP "$(job s rendezvous)"
	must 3 grep -q "certificate was read again" "$LAB_DIR/s-rendezvous.log"
	reaches alice bob
	shows() {
		on s sh -c 'openssl s_client -connect 127.0.0.1:443 -tls1_3 \
			-alpn hptun/1 </dev/null 2>&1'
	}
	shows | grep -q 'ALPN protocol: hptun/1'
	on s sh -c 'openssl s_client -connect 127.0.0.1:443 </dev/null \
		2>/dev/null | openssl x509 -noout -serial' >"$LAB_DIR/shown"
	on s openssl x509 -noout -serial -in /etc/tls/s2.pem |
		diff - "$LAB_DIR/shown"
	# One that is broken leaves all as it was.
	on s sh -c 'echo rubbish >/etc/tls/s.pem'
	kill -HUP "$(job s rendezvous)"
	must 3 grep -q "TLS goes on" "$LAB_DIR/s-rendezvous.log"
	shows | grep -q 'ALPN protocol: hptun/1'
}

case_wrong_certificate_is_refused_in_words_and_a_pin_replaces_it() {
	lab_up
	two_sites nat nat
	authority
	certificate other.example.net s
	serves_tls
	on alice hptun init --name alice --rendezvous tls://s.example.net
	joins bob
	on bob grep -q 'Rendezvous = tls://s.example.net:443' \
		/etc/hptun/home/network.conf
	start alice netcheck hptun netcheck
	believes alice --no-wait
	ups alice
	must 5 said_mismatch
	on alice hptun down
	must 3 no_daemon alice
	! wait "$(job alice netcheck)" || fail "netcheck says that all is well"
	log alice netcheck |
		grep 'TLS port 443: its certificate is not believed: '

	local key
	key=$(grep -o 'sha256/[^ )]*' "$LAB_DIR/s-rendezvous.log")
	for h in alice bob; do
		on $h sed -i "s|^Rendezvous = .*|&\nRendezvousKey = $key|" \
			/etc/hptun/home/network.conf
	done
	start alice pinned hptun netcheck
	meet alice bob
	over alice tls || fail "alice is not over TLS"
	both_reach alice bob
	wait "$(job alice pinned)"
	log alice pinned | grep 'TLS port 443: works .*RendezvousKey'
}
said_mismatch() {
	ask alice '.rendezvous[0].cause' | grep -q 'not believed: hostname mismatch'
}

connections() { on s ss -Htn state established 'sport = :8888' | wc -l; }
crowded() { [ "$(connections)" -ge 64 ]; }
alone() { [ "$(connections)" -le 2 ]; }
