/* SPDX-License-Identifier: ISC */
/*
 * natbox: a NAT in user space, between two TUN devices that it makes. The
 * kernel routes to it what comes from inside and what is for its external
 * address, and routes on what it gives back.
 *
 *	LAN --- kernel --- [inside] natbox [outside] --- kernel --- internet
 *
 *	natbox EXTERNAL WORD...
 *
 * The words say what kind of NAT, in any order; those not said are eim, apdf,
 * preserve:
 *	eim adm apdm		mapping
 *	eif adf apdf		filtering
 *	preserve overload sequential random block	ports
 *	hairpin poison
 *	stride=N block=N lifetime=SECONDS seed=N
 * SIGHUP makes it forget its mappings, SIGUSR1 print how many there are.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../natbox/packet.h"
#include "../natbox/tun.h"
#include "base/crypto.h"
#include "base/time.h"
#include "sys/clock.h"
#include "sys/rng.h"

#define PACKET_MAX 65536
#define BURST 64	/* packets from one side before the other has a turn */

enum { INSIDE, OUTSIDE, SIGNALS, N_FDS };

struct kind {
	struct sim_nat_config cfg;
	uint64_t seed;
};

struct word {
	const char *text;
	int value;
};

static const struct word mappings[] = {
	{ "eim", SIM_EIM }, { "adm", SIM_ADM }, { "apdm", SIM_APDM }, { 0 },
};
static const struct word filterings[] = {
	{ "eif", SIM_EIF }, { "adf", SIM_ADF }, { "apdf", SIM_APDF }, { 0 },
};
static const struct word portings[] = {
	{ "preserve", SIM_PRESERVE }, { "overload", SIM_OVERLOAD },
	{ "sequential", SIM_SEQUENTIAL }, { "random", SIM_RANDOM },
	{ "block", SIM_BLOCK }, { 0 },
};

static const struct word *find(const struct word *w, const char *text)
{
	while (w->text && strcmp(w->text, text))
		w++;
	return w->text ? w : NULL;
}

static bool flag(struct kind *k, const char *text)
{
	const struct word *w;

	if ((w = find(mappings, text)))
		k->cfg.mapping = (enum sim_mapping)w->value;
	else if ((w = find(filterings, text)))
		k->cfg.filtering = (enum sim_filtering)w->value;
	else if ((w = find(portings, text)))
		k->cfg.ports = (enum sim_ports)w->value;
	else if (!strcmp(text, "hairpin"))
		k->cfg.hairpin = true;
	else if (!strcmp(text, "poison"))
		k->cfg.poison = true;
	else
		return false;
	return true;
}

static bool number(struct kind *k, const char *text)
{
	const char *eq = strchr(text, '=');
	unsigned long long n;
	size_t len;
	char *end;

	if (!eq || eq[1] < '0' || eq[1] > '9')
		return false;
	len = (size_t)(eq - text);
	n = strtoull(eq + 1, &end, 10);
	if (*end)
		return false;
	if (len == 6 && !strncmp(text, "stride", len) && n && n < 1000)
		k->cfg.stride = (unsigned int)n;
	else if (len == 5 && !strncmp(text, "block", len) && n && n < 60000)
		k->cfg.block = (unsigned int)n;
	else if (len == 8 && !strncmp(text, "lifetime", len) && n < 1000000)
		k->cfg.lifetime_ns = n * HP_S;
	else if (len == 4 && !strncmp(text, "seed", len))
		k->seed = n;
	else
		return false;
	return true;
}

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* Whatever the kernel does not take is lost, as on any router. */
static void pump(const struct box *b, const struct pollfd *fds, int side)
{
	static uint8_t p[PACKET_MAX];

	for (unsigned int i = 0; i < BURST; i++) {
		ssize_t n = read(fds[side].fd, p, sizeof(p));
		uint64_t now_ns = hp_clock_now();
		enum box_way way;

		if (n <= 0)
			return;
		way = side == INSIDE ?
			      box_from_inside(b, p, (size_t)n, now_ns) :
			      box_from_outside(b, p, (size_t)n, now_ns);
		if (way == BOX_DROP)
			continue;
		n = write(fds[way == BOX_IN ? INSIDE : OUTSIDE].fd, p,
			  (size_t)n);
		(void)n;
	}
}

static void obey(const struct box *b, int fd)
{
	struct signalfd_siginfo si;

	while (read(fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGHUP) {
			nat_flush(b->udp);
			nat_flush(b->echo);
		}
		printf("%zu mappings\n", nat_count(b->udp, hp_clock_now()));
	}
}

static int run(const struct box *b)
{
	struct pollfd fds[N_FDS] = {
		[INSIDE] = { tun_open("inside", "natbox"), POLLIN, 0 },
		[OUTSIDE] = { tun_open("outside", "natbox"), POLLIN, 0 },
		[SIGNALS] = { signals_open(), POLLIN, 0 },
	};

	for (int i = 0; i < N_FDS; i++)
		if (fds[i].fd < 0)
			return 1;
	for (;;) {
		if (poll(fds, N_FDS, -1) < 0 && errno != EINTR) {
			perror("natbox: poll");
			return 1;
		}
		pump(b, fds, INSIDE);
		pump(b, fds, OUTSIDE);
		obey(b, fds[SIGNALS].fd);
	}
}

int main(int argc, char **argv)
{
	struct kind k = {
		.cfg = { .filtering = SIM_APDF, .stride = 1, .block = 512 },
	};
	struct hp_rng_seeded seeded;
	struct hp_addr external;
	struct hp_rng rng;
	struct box b;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (hp_crypto_init() != HP_OK)
		return 1;
	rng = hp_rng_system();
	k.seed = hp_rng_u32(&rng);
	if (argc < 2 || hp_addr_parse(argv[1], 0, &external, NULL) != HP_OK ||
	    external.family != HP_AF_4) {
		fprintf(stderr, "usage: natbox EXTERNAL-IPV4 WORD...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		if (flag(&k, argv[i]) || number(&k, argv[i]))
			continue;
		fprintf(stderr, "natbox: what is '%s'?\n", argv[i]);
		return 2;
	}
	printf("natbox: seed=%" PRIu64 "\n", k.seed);
	hp_rng_seeded_init(&seeded, k.seed, &rng);
	b.udp = nat_new(&k.cfg, &external, &rng);
	b.echo = nat_new(&k.cfg, &external, &rng);
	return run(&b);
}
