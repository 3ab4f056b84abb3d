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

echo "cli: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
