/* SPDX-License-Identifier: ISC */
/* The commands of hptun: one file each; what they have in common. */
#ifndef TOOLS_HPTUN_COMMANDS_H
#define TOOLS_HPTUN_COMMANDS_H

#include "base/err.h"
#include "member/network.h"

int cmd_down(int argc, char **argv);
int cmd_echo(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_invite(int argc, char **argv);
int cmd_join(int argc, char **argv);
int cmd_leave(int argc, char **argv);
int cmd_netcheck(int argc, char **argv);
int cmd_peer(int argc, char **argv);
int cmd_peers(int argc, char **argv);
int cmd_revoke(int argc, char **argv);
int cmd_up(int argc, char **argv);

#endif
