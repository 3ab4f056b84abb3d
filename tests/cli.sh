#!/bin/sh
# SPDX-License-Identifier: ISC
# Membership as its users type it, without root: init, invite, join, peers,
# revoke, leave. Looks at exit codes and words. tests/cli.sh [BUILD-DIRECTORY]
# Exit 0 when nothing failed.
set -u
hptun=${1:-build/gcc}/hptun
case $hptun in
/*) ;;
*) hptun=$PWD/$hptun ;;
esac
[ -x "$hptun" ] || { echo "cli: no $hptun: run make first" >&2; exit 1; }
source=$(cd "$(dirname "$0")/.." && pwd)
top=$(mktemp -d) || exit 1
trap 'rm -rf "$top"' EXIT
passed=0 failed=0 skipped=0

# on HOST: the commands that follow run there, in directories of its own
on() {
	HPTUN_CONFIG_DIR=$top/$1/etc HPTUN_RUN_DIR=$top/$1/run
	HPTUN_STATE_DIR=$top/$1/var
	export HPTUN_CONFIG_DIR HPTUN_RUN_DIR HPTUN_STATE_DIR
}

good() { passed=$((passed + 1)); }

bad() {
	failed=$((failed + 1))
	echo "FAILED: $claim: $1"
	sed 's/^/    /' "$top/out" "$top/err"
}

# expect CODE ARGUMENTS...: runs hptun and compares its exit code
expect() {
	want=$1
	shift
	claim="hptun $*"
	"$hptun" "$@" >"$top/out" 2>"$top/err" </dev/null
	code=$?
	if [ "$code" -eq "$want" ]; then good; else bad "exit $code"; fi
}

# The last command's stdout or stderr has, or has not, a text
out() { if grep -qF -- "$1" "$top/out"; then good; else bad "no \"$1\""; fi; }
err() { if grep -qF -- "$1" "$top/err"; then good; else bad "no \"$1\""; fi; }
silent() { if [ -s "$top/$1" ]; then bad "$1 is not empty"; else good; fi; }
# same A B
same() { if [ "$1" = "$2" ]; then good; else bad "\"$1\" is not \"$2\""; fi; }
# The same files with the same content as when snap was called?
snap() { (cd "$top" && find . -type f ! -name out ! -name err \
	-exec cksum {} + | sort); }

on alice
expect 1 peers
err "no network is set up on this host"
err "hptun init"
expect 2 init --name alice
err "--rendezvous is missing"
expect 2 init --rendezvous s.example.net
err "--name is missing"
expect 2 init --name 9alice --rendezvous s.example.net
err "does not begin with a letter"
expect 2 init --name alice --rendezvous s.example.net:x
err "is not a port"
expect 2 init --name alice --rendezvous s --subnet 10.9.0.0/31
err "is not an IPv4 subnet"
silent out
expect 0 init --name Alice --rendezvous s.example.net,192.0.2.1:99 \
	--rendezvous '[2001:db8::1]:7'
out "alice, 10.9.0.1"
out "hptun invite"
before=$(snap)
expect 1 init --name alice --rendezvous s.example.net
err "is set up on this host already"
same "$(snap)" "$before"
same "$(grep -c ^Rendezvous "$top/alice/etc/home/network.conf")" 3
same "$(stat -c %a "$top/alice/etc/home")" 700
for f in network.secret node.key sign.key root.key; do
	same "$(stat -c %a "$top/alice/etc/home/$f")" 600
done

claim="TOKEN=\$(hptun invite bob)"
token=$("$hptun" invite bob 2>"$top/err")
same $? 0
same "$(printf %s "$token" | wc -l)" 0
same "${token%%:*}" hptun1
err "bob may join as 10.9.0.2 until"
err "hptun join"
expect 1 invite Bob
err "bob was invited already: 10.9.0.2"
err "--again"
expect 1 invite alice
err "alice is this host"
expect 1 invite carol --again
err "is not invited so far"
expect 1 invite carol --address 10.9.0.2
err "10.9.0.2 belongs to bob"
expect 1 invite carol --address 10.8.0.2
err "is not a host's address in 10.9.0.0/24"
expect 1 invite carol --address 10.9.0.255
expect 2 invite carol --address carol
expect 2 invite carol --days 0
expect 2 invite
err "an argument is missing: NAME"
expect 2 invite carol dave
err "an argument too many"
expect 2 invite carol --dyas 3
err "did you mean --days?"
expect 0 invite carol --address 10.9.0.9
err "10.9.0.9"
expect 0 invite dave
err "10.9.0.3"
expect 0 peers
out "this host"
out "invited, until"

on bob
expect 1 join "$(printf %s "$token" | cut -c 1-200)"
err "cut off"
expect 1 join "$(printf %s "$token" | sed 's/./!/100')"
err "a typo near characters 88 to 127"
expect 1 join hello
err "begins with hptun1:"
expect 1 join "hptun2:${token#*:}"
err "newer version"
expect 1 join -
err "stdin holds no token"
same "$(ls "$top/bob" 2>/dev/null)" ""
claim="hptun join - with a token that a mail wrapped"
printf '%s\n' "$token" | fold -w 60 | "$hptun" join - \
	>"$top/out" 2>"$top/err"
same $? 0
out "this host is bob in the network home: 10.9.0.2"
out "hptun up"
silent err
before=$(snap)
expect 1 join "$token"
err "this host is in the network \"home\" already, as bob (10.9.0.2)"
err "nothing was changed"
expect 2 --network other join "$token"
expect 1 join "$token" --network other
err "already, as bob"
same "$(snap)" "$before"
expect 1 invite eve
err "does not hold the root key"
expect 1 revoke alice
err "does not hold the root key"
expect 0 peers --json
out '"name": "bob"'
out '"root": false'

claim="a secret that others can read"
chmod 644 "$top/bob/etc/home/node.key"
expect 1 peers
err "holds a secret"
err "  chmod 600 $top/bob/etc/home/node.key"
claim="the command that mends it"
mend=$(sed -n 's/^  //p' "$top/err")
sh -c "$mend"
expect 0 peers

claim="a mistake in network.conf"
cp -p "$top/bob/etc/home/network.conf" "$top/conf"
sed -i 's/^MTU = .*/MTU = 12/' "$top/bob/etc/home/network.conf"
expect 1 peers
err "network.conf:14:7: \"12\" is not a number from 1280 to 9000"
sed -i 's/^MTU/MTUU/' "$top/bob/etc/home/network.conf"
expect 1 peers
err "network.conf:14:1: there is no setting MTUU"
err "did you mean MTU?"
cp -p "$top/conf" "$top/bob/etc/home/network.conf"
expect 0 peers

# A second network on one host, under a name of its own
on work
expect 0 init --name boss --rendezvous s.example.net --network work \
	--subnet 192.168.77.0/24
out "192.168.77.1"
claim="TOKEN=\$(hptun invite bob)"
second=$("$hptun" invite bob 2>/dev/null)
on bob
expect 0 join "$second"
out "192.168.77.2"
expect 1 peers
err "several networks are set up on this host: home, work"
err "--network NAME"
expect 0 peers -n work
expect 1 peers --network wrok
err "did you mean work?"
same "$(sed -n 's/^Device = //p' "$top/bob/etc/work/network.conf")" hptun1

on alice
expect 0 invite bob --again --json
out '"address": "10.9.0.2"'
expect 1 revoke alice
expect 1 revoke nobody
err "was never invited"
expect 0 revoke bob
out "bob is revoked"
expect 0 revoke bob
expect 0 peers
out "revoked"
expect 1 invite bob --again
expect 0 invite bob --days 3650
err "10.9.0.2"

# What network.conf says of methods and interfaces, with line and column
on alice
conf=$top/alice/etc/home/network.conf
cp "$conf" "$top/conf.was"
mistake() { # LINE TEXT-OF-CAUSE TEXT-OF-REMEDY
	sed "/^Device/a $1" "$top/conf.was" >"$conf"
	expect 1 peers
	err "$2"
	err "$3"
}
mistake "Methods = all, -birtday" "there is no method \"birtday\"" \
	"did you mean birthday?"
mistake "Methods = -all" "no method is left" "host, reflexive or relay"
mistake "Interfaces = eth0 eth1" "matches no interface" "ip link"
err "network.conf:"
mv "$top/conf.was" "$conf"

# Stock WireGuard peers: network.conf keeps everything else as it is
on alice
conf=$top/alice/etc/home/network.conf
printf '\n# mine\n[Peer] # an old friend\nPublicKey = %s\n# of hers\n%s\n# end' \
	AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE= \
	"AllowedIPs = 10.77.0.0/16" >>"$conf"
cp "$conf" "$top/conf.was"
key=kdcMJ2tx/xAeZVSIfAMsncpxIla9Tku3ClcQHkk8VGI=
own=$(sed -n 's/^Id = //p' "$conf")
expect 2 peer
out "remove"
expect 2 peer lsit
err "did you mean list?"
expect 2 peer add phone
err "--public-key is missing"
expect 2 peer add phone --public-key AAAA
err "this is not a public key"
expect 2 peer add 9phone --public-key $key
err "does not begin with a letter"
expect 2 peer add phone --public-key $key --endpoint 192.0.2.1
err "has no port"
expect 2 peer add phone --public-key $key --endpoint 2001:db8::1
err "[IP]:PORT"
expect 2 peer add phone --public-key $key --allowed-ips 10.0.0.0/33
expect 2 peer add phone --public-key $key --allowed-ips 10.8.0.1,10.8.0.1
err "there twice"
expect 2 peer add phone --public-key $key --address fd00::1
expect 2 peer add phone --public-key $key --keepalive 65536
expect 2 peer add phone --public-key $key --preshared-key-file "$top/none"
err "cannot open"
expect 2 peer add phone --public-key $key --preshared-key-file "$conf"
err "this is not a preshared key"
expect 1 peer add alice --public-key $key
err "alice is this host"
expect 1 peer add carol --public-key $key
err "carol is invited"
expect 1 peer add phone --public-key $key --address 10.8.0.1
err "is not a host's address in 10.9.0.0/24"
expect 1 peer add phone --public-key $key --address 10.9.0.9
err "10.9.0.9 belongs to carol"
expect 1 peer add phone --public-key $key --allowed-ips 10.9.0.1/32
err "10.9.0.1 belongs to alice"
expect 1 peer add phone --public-key $key --allowed-ips 10.77.0.0/16
err "10.77.0.0/16 belongs to the stock peer AQEB"
expect 1 peer add phone \
	--public-key AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=
err "has this key"
expect 1 peer remove phone
err "there is no stock peer \"phone\""
same "$(cksum <"$conf")" "$(cksum <"$top/conf.was")"
echo AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE= >"$top/psk"
expect 0 peer add Phone --public-key $key --address 10.9.0.77 \
	--allowed-ips "10.8.0.0/16, fd00::/64" --endpoint p.example.net:51820 \
	--preshared-key-file "$top/psk" --keepalive 25
out "phone is a stock WireGuard peer of this host: 10.8.0.0/16, fd00::/64, 10.9.0.77/32, fd"
same "$(stat -c %a "$conf")" 600
same "$(head -n "$(wc -l <"$top/conf.was")" "$conf" | cksum)" \
	"$(head -n "$(wc -l <"$top/conf.was")" "$top/conf.was" | cksum)"
expect 0 peer list
out "phone"
out "p.example.net:51820"
expect 0 peer list --json
out '"endpoint": "p.example.net:51820"'
out '"preshared_key": true'
expect 0 peers
out "stock WireGuard peer"
expect 1 peer add phone --public-key "$own"
err "phone is a stock peer already"
expect 1 invite phone
err "phone is a stock peer of this host"
expect 1 invite eve --address 10.9.0.77
err "10.9.0.77 belongs to phone"
expect 1 export phone
err "the UDP port of this host changes"
err "ListenPort = 51820"
expect 1 export phone --endpoint here:51820 --address 10.9.0.78
err "phone has its addresses already"
expect 0 export phone --endpoint here.example.net:51820
out "#PrivateKey ="
out "PresharedKey = AQEB"
out "Endpoint = here.example.net:51820"
out "AllowedIPs = 10.9.0.0/24, fd"
err "is not known here"
expect 2 export tablet --endpoint here
expect 1 export carol --endpoint here:51820
err "carol is invited"
expect 0 export tablet --endpoint '[2001:db8::1]:51820'
out "Endpoint = [2001:db8::1]:51820"
out "PersistentKeepalive = 25"
err "kept nowhere"
same "$(grep -c '^PrivateKey = ' "$top/out")" 1
private=$(sed -n 's/^PrivateKey = //p' "$top/out")
same "$(grep -rlF "$private" "$top/alice")" ""
if command -v wg >/dev/null; then
	expect 0 peer list --json
	out "$(printf %s "$private" | wg pubkey)"
else
	skipped=$((skipped + 2))
fi
claim="hptun invite skips the addresses of stock peers"
tablet=$(sed -n 's/^AllowedIPs = \(10[.0-9]*\).32, fd.*/\1/p' "$conf" | tail -n 1)
expect 0 invite mallory
if grep -qF "$tablet " "$top/err"; then bad "$tablet is given twice"; else good; fi
expect 0 revoke mallory
expect 1 peer remove tablt
err "did you mean tablet?"
expect 0 peer remove tablet
expect 0 peer remove $key
expect 1 peer remove $key
claim="network.conf is as before, but for the end of its last line"
echo >>"$top/conf.was"
same "$(cksum <"$conf")" "$(cksum <"$top/conf.was")"
expect 0 peer remove AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=
same "$(tail -n 3 "$conf" | tr '\n' '|')" "|# mine|# end|"
expect 0 peer list
out "there is none"
printf '[Peer]\nName = alice\n' >>"$conf"
expect 1 peer list
err "alice is the name of this host"
cp "$top/conf.was" "$conf"
on bob
expect 1 export phone --endpoint here:51820 -n home
err "does not know which addresses"
err "--address IP"
on alice

# A server that serves, one that does not relay, one for others alone
rendezvous=${hptun%/*}/hptun-rendezvous
serve() { # OPTION...: a server on a free port of the loopback
	port=$((20000 + $$ % 20000))
	server=""
	for try in 1 2 3 4 5; do
		port=$((port + 7))
		"$rendezvous" --listen "127.0.0.1:$port" "$@" \
			>"$top/served" 2>&1 &
		server=$!
		n=0
		until grep -q serving "$top/served" || [ $n -ge 40 ] ||
			! kill -0 "$server" 2>/dev/null; do
			n=$((n + 1))
			sleep 0.05
		done
		! grep -q serving "$top/served" || return 0
		kill "$server" 2>/dev/null
		wait "$server" 2>/dev/null
	done
	bad "no server after $try tries"
}
served() { kill "$server" && wait "$server" 2>/dev/null; }
serve
expect 0 netcheck --rendezvous "127.0.0.1:$port"
out "serves every network"
out "and relays"
served
serve --no-relay
expect 0 netcheck --rendezvous "127.0.0.1:$port"
out "does not relay"
served
echo AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= >"$top/allow"
serve --allow "$top/allow"
expect 0 netcheck --rendezvous "127.0.0.1:$port" --json
out '"serves_any": false'
out '"relays": null'
served

# hptunctl without a daemon
hptun=${hptun%/*}/hptunctl
expect 2 doctor
err "PEER"
expect 3 doctor bob
expect 2 doctor --timeout soon bob
expect 0 doctor --help
out "--timeout"
hptun=${hptun%/*}/hptun
expect 3 down --peer bob
err "is not running"

# A daemon that runs is not pulled the ground from under
on bob
mkdir -p "$top/bob/run"
if command -v perl >/dev/null; then
	echo 4711 >"$top/bob/run/work.pid"
	perl -MFcntl=:DEFAULT,SEEK_SET -e '
		open(my $f, "+<", $ARGV[0]) or die;
		my $lock = pack("s!s!x![q]qqi", F_WRLCK, SEEK_SET, 0, 0, 0);
		fcntl($f, F_SETLK, $lock) or die;
		open(my $t, ">", "$ARGV[0].taken") or die;
		sleep 30' "$top/bob/run/work.pid" &
	holder=$!
	n=0
	until [ -e "$top/bob/run/work.pid.taken" ] || [ $n -ge 100 ]; do
		n=$((n + 1))
		sleep 0.05
	done
	rm -f "$top/bob/run/work.pid.taken"
	expect 1 leave -n work --yes
	err "hptund runs for \"work\" (process 4711)"
	err "hptun down --network work"
	kill "$holder"
	wait "$holder" 2>/dev/null
else
	skipped=$((skipped + 3))
fi
expect 1 leave -n work
err "--yes"
expect 0 leave -n work --yes
expect 0 leave --yes
same "$(find "$top/bob" -type f ! -name '*.pid')" ""
expect 1 leave --yes
on alice
expect 1 leave --yes
err "root key"
expect 0 leave --yes --root
out "has left the network home"

expect 2 down --peer 9bob
expect 2 down --peer
expect 0 down --help
out "--peer NAME"

expect 2 invte
err "did you mean invite?"
expect 2
out "usage: hptun COMMAND"
expect 0 --help
expect 0 help
expect 0 help join
out "usage: hptun join"
expect 2 help jion
err "did you mean join?"
expect 0 --version
out "hptun "
expect 2 --json peers
err "options come behind the command"

PATH=$(dirname "$hptun"):$PATH
# documented PAGE PROGRAM [COMMAND...]: the manual has each option of its help.
documented() {
	page=$1
	shift
	claim="all of $* --help is in $page"
	"$@" --help >"$top/out" 2>"$top/err" </dev/null
	options=$(grep -oE -- '--[a-z][a-z-]*' "$top/out" | sort -u)
	[ -n "$options" ] || bad "no option"
	for o in $options; do
		if grep -qE "Fl (Fl |-)${o#--}( |$)" "$source/$page"; then
			good
		else
			bad "no $o"
		fi
	done
}
# commands PROGRAM [COMMAND]: those that its help lists
commands() {
	"$@" --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'
}
for c in $(commands hptun); do
	[ "$c" = peer ] || documented tools/hptun/hptun.1 hptun "$c"
done
for c in $(commands hptun peer); do
	documented tools/hptun/hptun.1 hptun peer "$c"
done
for c in $(commands hptunctl); do
	documented tools/hptunctl/hptunctl.8 hptunctl "$c"
done
documented tund/hptund.8 hptund
documented rendezvous/hptun-rendezvous.8 hptun-rendezvous

echo "cli: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
