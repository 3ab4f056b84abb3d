/* SPDX-License-Identifier: ISC */
/* hptun: makes, enters and leaves networks, and connects to peers. */
#include "../cli.h"
#include "commands.h"

static const struct cli_command commands[] = {
	{ "init", cmd_init, "make a network; this host is its first node" },
	{ "invite", cmd_invite, "make a token that lets one host in" },
	{ "join", cmd_join, "enter a network with a token" },
	{ "up", cmd_up, "start the daemon and connect to peers" },
	{ "down", cmd_down, "end the daemon" },
	{ "echo", cmd_echo, "try a hole: lines come back from the other side" },
	{ "netcheck", cmd_netcheck, "what the net does to UDP, and what to expect" },
	{ "peers", cmd_peers, "who is in the network" },
	{ "peer", cmd_peer, "stock WireGuard peers: add, list, remove" },
	{ "export", cmd_export, "a configuration for a stock WireGuard app" },
	{ "revoke", cmd_revoke, "exclude a node" },
	{ "leave", cmd_leave, "remove a network from this host" },
};

int main(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "hptun",
		.about = "Joins hosts behind NATs into one private subnet.",
		.commands = commands,
		.n = sizeof(commands) / sizeof(commands[0]),
	};

	return cli_main(&program, argc, argv);
}
