/* SPDX-License-Identifier: ISC */
/*
 * Finding out how long datagrams may be on the path in use: probes for what
 * pmtu.c wants to know. Each side measures what it sends; answers are short.
 */
#include "punch/machine.h"

static const struct hp_path *to_measure(const struct hp_punch *p)
{
	const struct hp_track *t = p->paths.track[p->use];

	return p->longest && t->valid && hp_path_set(&t->path) ? &t->path :
								 NULL;
}

static void probe(struct hp_punch *p, unsigned int i)
{
	struct hp_probe m = { .kind = HP_PROBE_REQUEST,
			      .txid = p->pmtu.txid + i,
			      .pad = p->pmtu.rung[i] - (size_t)HP_PROBE_MIN };

	hp_punch_send(p, &p->measured, 0, &m);
}

void hp_measure_run(struct hp_punch *p, uint64_t now_ns)
{
	const struct hp_path *path = to_measure(p);
	unsigned int n;

	if (path && !hp_path_eq(path, &p->measured)) {
		p->measured = *path;
		hp_pmtu_start(&p->pmtu, HP_PROBE_MIN, p->longest, now_ns);
	}
	if (!path)
		return;
	n = hp_pmtu_tick(&p->pmtu, hp_punch_used(p)->srtt_ns, p->busy_ns,
			 now_ns);
	if (n)
		p->pmtu.txid = hp_rng_u64(&p->rng) | 1;
	for (unsigned int i = 0; i < n; i++)
		probe(p, i);
}

uint64_t hp_measure_due(const struct hp_punch *p)
{
	const struct hp_path *path = to_measure(p);

	if (!path)
		return HP_NEVER;
	return hp_path_eq(path, &p->measured) ?
		       hp_pmtu_deadline(&p->pmtu, p->busy_ns) : 0;
}

void hp_punch_busy(struct hp_punch *p, uint64_t at_ns)
{
	p->busy_ns = at_ns;
}

uint32_t hp_punch_size(const struct hp_punch *p)
{
	return p->pmtu.size;
}
