# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Which cipher two daemons speak, and by which library. Drawing: lib.sh.

# shellcheck source=tests/lab/members.sh
. "$TOP/tests/lab/members.sh"

# set_in HOST KEY VALUE: a line of [Interface] in network.conf.
set_in() {
	on "$1" sed -i "/^\[Interface\]/a $2 = $3" \
		/etc/hptun/home/network.conf
}

has_aes() {
	grep -qE '^(flags|Features).*\baes\b' /proc/cpuinfo &&
		grep -qE '\b(pclmulqdq|pmull)\b' /proc/cpuinfo
}
need_aes() { has_aes || skip "this processor has no AES"; }

speak() { # A B CIPHER
	must 10 is "$1" "$2" .cipher "$3"
	must 10 is "$2" "$1" .cipher "$3"
}

reload_is_refused() { # HOST KEY
	local code=0 out
	out=$(on "$1" hptunctl reload 2>&1) || code=$?
	say "$out"
	[ "$code" != 0 ]
	grep -qE "\b$2\b" <<<"$out"
	grep -q "start it again" <<<"$out"
}

case_two_daemons_speak_aes() {
	need_aes
	two_members
	meet alice bob
	speak alice bob AES-256-GCM
	both_reach alice bob
	on alice hptunctl status | grep -q AES-256-GCM
	on alice hptunctl status | grep -qE "^ciphers +by lib.*AES-256-GCM [0-9]+\)"
}

case_one_that_forbids_aes_is_spoken_chacha_to() {
	need_aes
	two_members
	set_in bob Cipher chacha20poly1305
	meet alice bob
	speak alice bob ChaCha20-Poly1305
	both_reach alice bob
	# A change of mind holds from the next start, also for who was met; to
	# reload is refused, with the reason, and changes nothing.
	on bob sed -i 's/^Cipher = .*/Cipher = aes256gcm/' \
		/etc/hptun/home/network.conf
	reload_is_refused bob Cipher
	speak alice bob ChaCha20-Poly1305
	on bob hptun down
	up bob --peer alice
	ups bob
	speak alice bob AES-256-GCM
	both_reach alice bob
}

case_who_demands_aes_of_one_that_forbids_it_is_told() {
	need_aes
	two_members
	set_in alice Cipher aes256gcm
	set_in bob Cipher chacha20poly1305
	up bob --peer alice
	local code=0 out
	out=$(on alice hptun up --peer bob 2>&1) || code=$?
	say "$out"
	[ "$code" != 0 ]
	grep -q 'AES-256-GCM' <<<"$out"
	grep -q 'Cipher = auto' <<<"$out"
	[ "$(of alice bob .state)" = refused ]
	[ "$(of alice bob .cipher)" = null ]
}

# What one library seals, every other opens.
case_every_library_talks_to_every_other() {
	two_members
	set_in alice Crypto libcrypto
	set_in bob Crypto libsodium
	meet alice bob
	[ "$(ask alice .crypto)" = libcrypto ]
	[ "$(ask bob .crypto)" = libsodium ]
	both_reach alice bob
	on bob sed -i 's/^Crypto = .*/Crypto = auto/' \
		/etc/hptun/home/network.conf
	reload_is_refused bob Crypto
	[ "$(ask bob .crypto)" = libsodium ]
	on bob hptun down
	up bob --peer alice
	ups bob
	say "bob chose $(ask bob .crypto)"
	both_reach alice bob
}
