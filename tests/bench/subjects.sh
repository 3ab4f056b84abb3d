# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: ISC
# What is measured, and how each is started. A subject is a name; begin NAME
# starts it on both ends and sets INNER (bob's address inside) and DEV (the
# interface on alice). What it started is ended by its pids.

# The settings of hptun's subjects in network.conf.
declare -A SETTINGS=(
	[hptun]="Cipher=chacha20poly1305"
	[hptun-libcrypto]="Cipher=chacha20poly1305 Crypto=libcrypto"
	[hptun-ipsec-mb]="Cipher=chacha20poly1305 Crypto=libipsec-mb"
	[hptun-libsodium]="Cipher=chacha20poly1305 Crypto=libsodium"
	[hptun-aes]="Cipher=aes256gcm"
	[hptun-aes-libcrypto]="Cipher=aes256gcm Crypto=libcrypto"
	[hptun-null]="Cipher=chacha20poly1305"
)
declare -A TITLE=(
	[none]="no tunnel"
	[wireguard-go]="wireguard-go (Debian)"
	[fastd]="fastd, salsa2012+umac"
	[other]="${BENCH_WG##*/} (BENCH_WG)"
	[hptun]="hptun, ChaCha20-Poly1305"
	[hptun-libcrypto]="  the same, libcrypto"
	[hptun-ipsec-mb]="  the same, libipsec-mb alone"
	[hptun-libsodium]="  the same, libsodium"
	[hptun-aes]="hptun, AES-256-GCM"
	[hptun-aes-libcrypto]="  the same, libcrypto"
	[hptun-null]="hptun, no cipher"
)

# ---- prepared once --------------------------------------------------------
prepare() {
	local h
	start s rendezvous hptun-rendezvous
	must 5 listening s 8888
	on alice hptun init --name alice --rendezvous 203.0.113.1 >/dev/null
	joins bob >/dev/null 2>&1
	for h in alice bob; do
		on $h cat /etc/hptun/home/network.conf >"$LAB_DIR/$h.conf"
		(umask 77; wg genkey >"$LAB_DIR/$h.key")
		wg pubkey <"$LAB_DIR/$h.key" >"$LAB_DIR/$h.pub"
		on $h sh -c 'umask 77; cat >/run/wg.key' <"$LAB_DIR/$h.key"
	done
	fastd_conf alice bob 11 12
	fastd_conf bob alice 12 11
	for h in alice bob; do
		printf 'peer "%s" { key "%s"; remote 203.0.113.%s:10000; }\n' \
			"$(cat "$LAB_DIR/$h.fastd.peer")" \
			"$(cat "$LAB_DIR/$(cat "$LAB_DIR/$h.fastd.peer").fastd.pub")" \
			"$(cat "$LAB_DIR/$h.fastd.far")" |
			on $h sh -c 'cat >>/run/fastd.conf'
	done
}

# The method that fastd's own documentation recommends; AES is slower in it.
fastd_conf() { # HOST PEER N FAR
	local secret
	secret=$(fastd --generate-key --machine-readable 2>/dev/null)
	echo "$2" >"$LAB_DIR/$1.fastd.peer"
	echo "$4" >"$LAB_DIR/$1.fastd.far"
	on "$1" sh -c 'umask 77; cat >/run/fastd.conf' <<-END
	interface "fastd0";
	mode tun;
	method "salsa2012+umac";
	mtu 1406;
	bind 0.0.0.0:10000;
	secret "$secret";
	on up "ip addr add 10.8.0.$3/24 dev fastd0; ip link set fastd0 up";
	END
	on "$1" fastd --config /run/fastd.conf --show-key --machine-readable \
		>"$LAB_DIR/$1.fastd.pub" 2>/dev/null
}

# settings HOST NAME: writes its network.conf; false when this build knows no
# such setting.
settings() {
	awk -v more="${SETTINGS[$2]}" '{ print }
		$0 == "[Interface]" {
			n = split(more, s, " ")
			for (i = 1; i <= n; i++) print s[i]
		}' "$LAB_DIR/$1.conf" |
		on "$1" sh -c 'cat >/etc/hptun/home/network.conf'
	on "$1" hptund -n home --check >"$LAB_DIR/check.log" 2>&1
}

# possible NAME: can it run here at all?
possible() {
	case $1 in
	none) ;;
	fastd | wireguard-go) command -v "$1" >/dev/null ;;
	other) [ -n "$BENCH_WG" ] ;;
	*) settings alice "$1" ;;
	esac
}

# ---- started --------------------------------------------------------------
begin() {
	case $1 in
	none)
		straight add
		INNER=192.168.12.2 DEV=eth0
		;;
	wireguard-go) begin_wg wireguard-go ;;
	other) begin_wg "$BENCH_WG" ;;
	fastd)
		INNER=10.8.0.12 DEV=fastd0
		start alice fastd fastd --config /run/fastd.conf
		start bob fastd fastd --config /run/fastd.conf
		;;
	hptun-null) begin_hptun "$1" "$B/hptund-null" ;;
	*) begin_hptun "$1" hptund ;;
	esac
}

# One end calls before the other has opened its router, as it happens.
begin_wg() { # PROGRAM
	INNER=10.7.0.2 DEV=wg0
	end_wg alice 1 bob 2 203.0.113.12 "$1"
	end_wg bob 2 alice 1 203.0.113.11 "$1"
}
end_wg() { # HOST N PEER M ADDR PROGRAM
	on "$1" "$6" wg0 >>"$LAB_DIR/$1-wg.log" 2>&1 </dev/null
	on "$1" wg set wg0 private-key /run/wg.key listen-port 51820 \
		peer "$(cat "$LAB_DIR/$3.pub")" allowed-ips "10.7.0.$4/32" \
		endpoint "$5:51820" persistent-keepalive 25
	lines "addr add 10.7.0.$2/24 dev wg0" "link set wg0 up" | ip_in "$1"
}

begin_hptun() { # NAME PROGRAM
	local h
	INNER=10.9.0.2 DEV=hptun0
	for h in alice bob; do
		settings $h "$1" || fail "$1: $(cat "$LAB_DIR/check.log")"
	done
	for h in bob alice; do start $h hptun "$2" -n home -a -f; done
}

# The path that is measured is the direct one.
settled() {
	case $1 in
	hptun*) must 10 is alice bob .path.kind direct ;;
	esac
	case $1 in
	hptun-aes*) must 5 is alice bob .cipher AES-256-GCM ;;
	hptun*) must 5 is alice bob .cipher ChaCha20-Poly1305 ;;
	esac
	sleep 0.3
}

finish() {
	local p
	[ "$1" != none ] || straight del
	# shellcheck disable=SC2086
	[ -z "$DAEMONS" ] || kill -TERM $DAEMONS
	for p in $DAEMONS; do within 5 gone "$p" || kill -KILL "$p"; done
}
gone() { ! kill -0 "$1" 2>/dev/null; }
