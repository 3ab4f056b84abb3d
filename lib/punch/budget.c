/* SPDX-License-Identifier: ISC */
#include "punch/budget.h"

#include <string.h>

/* A late tick makes up for so many. */
#define BURST 8

void hp_budget_init(struct hp_budget *b)
{
	memset(b, 0, sizeof(*b));
	b->pace = (struct hp_pace){
		.every_ns = HP_S / HP_BUDGET_PROBES_PER_S,
		.burst = BURST,
	};
}

bool hp_budget_claim(struct hp_budget *b, const void *who)
{
	if (b->owner && b->owner != who) {
		b->refused++;
		return false;
	}
	b->owner = who;
	return true;
}

void hp_budget_release(struct hp_budget *b, const void *who)
{
	if (b->owner == who)
		b->owner = NULL;
}

unsigned int hp_budget_room(const struct hp_budget *b, uint64_t now_ns)
{
	unsigned int n = 0;

	for (size_t i = 0; i < HP_BUDGET_MAPPINGS; i++)
		n += b->until_ns[i] <= now_ns;
	return n;
}

int hp_budget_map(struct hp_budget *b, uint64_t now_ns)
{
	for (int i = 0; i < HP_BUDGET_MAPPINGS; i++) {
		if (b->until_ns[i] > now_ns)
			continue;
		b->until_ns[i] = HP_NEVER;
		b->mappings++;
		return i;
	}
	b->refused++;
	return -1;
}

void hp_budget_leave(struct hp_budget *b, int slot, uint64_t now_ns)
{
	if (slot >= 0)
		b->until_ns[slot] = now_ns + HP_BUDGET_LIFE;
}

bool hp_budget_probe(struct hp_budget *b, uint64_t now_ns)
{
	if (!hp_pace_take(&b->pace, now_ns))
		return false;
	b->probes++;
	return true;
}
