/* SPDX-License-Identifier: ISC */
/*
 * Theory of operation
 *
 *	            start                 the longest passes
 *	DISABLED ----------> BASE --------------------------------> COMPLETE
 *	    ^                | ^ |                                   ^   |
 *	    | stop           | | +--> SEARCHING ---------------------+   |
 *	    | (from all)     | |       the base passes    nothing is     |
 *	                     | |                          between @good  |
 *	   the base does not | |                          and @bad       |
 *	   pass              v |                                         |
 *	                   ERROR <--- verification lost, or 600 s -------+
 *	                               (both lead to BASE)
 *
 * (The states are those of RFC 8899, 5.2. In ERROR the search goes on below the
 * base, ends there, and is verified and repeated in the same way.)
 *
 * First one probe of the longest size is sent: mostly it passes, and that was
 * all. If it is lost, or the path before this one carried less, rounds follow.
 * A round is up to eleven probes at once, in descending order: three of the
 * size under suspicion, the size found last, the base if it is in doubt, steps
 * in equal distances between @good and what is suspected, and at last two of
 * the shortest, the witnesses. What is answered raises @good. The shortest
 * that is not is the next suspect, no more: losses are no proof. It takes
 * MAX_PROBES (3) losses of that very size to lower @bad, so of two rounds,
 * each with a witness, and twice as many, so of three, when it is the one
 * found before. Longer probes do not count: most of them are lost because they
 * are too long, and say nothing of this one. The steps below a suspect are
 * taken as if it was guilty, so that waiting for the proof costs no more than
 * the last round of a search. A round without any answer says nothing: the
 * next comes after a longer wait.
 *
 * Why rounds, and not one size after the other, as the RFC's example does: a
 * size that does not pass costs a time-out, and all of a round cost one. A
 * search takes well under a second on a path of 30 ms.
 *
 * Black holes. Under traffic a probe of the size found is sent every second
 * (the RFC's CONFIRMATION_TIMER). If it is lost, the search begins anew, though
 * not for more than was found; that stays in force until the search ends. So a
 * path that carries less is known for it after 1 s, one time-out, two rounds,
 * and the search for the new size in four more: within 3 s, and 5 s where the
 * round trip takes 250 ms.
 *
 * PMTU_RAISE_TIMER: 600 s, under traffic too.
 */
#include "punch/pmtu.h"

#include "base/time.h"

#define START_DELAY (50 * HP_MS)
#define VERIFY (1000 * HP_MS)
#define RAISE (600 * HP_S)
#define MAX_PROBES 3
#define STEPS 4
#define WITNESSES 2
#define WAIT_MIN (150 * HP_MS)
#define WAIT_MAX (1 * HP_S)
#define WAIT_UNKNOWN (500 * HP_MS)
#define SILENT_SHIFT_MAX 5

void hp_pmtu_stop(struct hp_pmtu *m)
{
	*m = (struct hp_pmtu){ 0 };
}

/* For what is shorter than @bad. What was found before stays until something
 * else is.
 */
static void restart(struct hp_pmtu *m, uint32_t bad, uint64_t now_ns)
{
	m->state = HP_PMTU_BASE_STATE;
	m->good = 0;
	m->bad = bad;
	m->suspect = 0;
	m->lost = 0;
	m->settled = false;
	m->silent = 0;
	m->n_rungs = 0;
	m->due_ns = now_ns;
}

void hp_pmtu_start(struct hp_pmtu *m, uint32_t min, uint32_t max,
		   uint64_t now_ns)
{
	uint32_t size = m->size;

	hp_pmtu_stop(m);
	if (max <= min)
		return;
	m->min = min;
	m->max = max;
	m->size = size;
	m->begun = size && size < max;
	restart(m, max + 1, now_ns + START_DELAY);
}

static void settle(struct hp_pmtu *m, uint64_t now_ns)
{
	/* A false alarm does not put off looking for more. */
	if (m->size != m->good || m->raise_ns <= now_ns)
		m->raise_ns = m->good < m->max ? now_ns + RAISE : HP_NEVER;
	m->size = m->good;
	m->state = m->size < HP_PMTU_BASE && m->size < m->max ?
			   HP_PMTU_ERROR : HP_PMTU_COMPLETE;
	m->settled = true;
	m->n_rungs = 0;
}

/* ---- a round ------------------------------------------------------------ */

/* Into its place in the descending order, once, if it can teach anything. */
static void add(struct hp_pmtu *m, uint32_t size)
{
	unsigned int at = 0, n = size == m->suspect ? MAX_PROBES : 1;

	if (size <= m->good || size < m->min || size >= m->bad)
		return;
	while (at < m->n_rungs && m->rung[at] > size)
		at++;
	if (at < m->n_rungs && m->rung[at] == size)
		return;
	for (unsigned int i = m->n_rungs; i > at; i--)
		m->rung[i - 1 + n] = m->rung[i - 1];
	m->n_rungs += n;
	while (n--)
		m->rung[at + n] = (uint16_t)size;
}

static void fill(struct hp_pmtu *m)
{
	uint32_t low = m->good, top = m->suspect ? m->suspect : m->bad;

	if (!m->begun) {
		m->begun = true;
		add(m, m->max);
		return;
	}
	if (low < m->min)
		low = m->min;
	if (low < HP_PMTU_BASE && top > HP_PMTU_BASE)
		low = HP_PMTU_BASE;
	for (uint32_t i = 1; i <= STEPS; i++)
		add(m, low + (top - 1 - low) * i / STEPS);
	add(m, HP_PMTU_BASE);
	add(m, m->size);
	add(m, m->suspect);
	if (m->rung[m->n_rungs - 1] == m->min)
		return;
	for (unsigned int i = 0; i < WITNESSES; i++)
		m->rung[m->n_rungs++] = (uint16_t)m->min;
}

static uint64_t wait_ns(uint64_t srtt_ns)
{
	uint64_t wait = srtt_ns ? srtt_ns * 3 / 2 + 50 * HP_MS : WAIT_UNKNOWN;

	if (wait < WAIT_MIN)
		wait = WAIT_MIN;
	return wait > WAIT_MAX && srtt_ns < WAIT_MAX ? WAIT_MAX : wait;
}

/* What is lost in a round whose witness was answered. */
static void learn(struct hp_pmtu *m)
{
	bool passed = m->raise_ns && m->suspect == m->size;
	uint32_t least = 0;

	for (unsigned int i = 0; i < m->n_rungs; i++) {
		if (m->rung[i] <= m->good)
			break;
		least = m->rung[i];
		m->lost += least == m->suspect;
	}
	if (m->lost >= (passed ? 2 * MAX_PROBES : MAX_PROBES)) {
		m->bad = m->suspect;
		m->suspect = 0;
	}
	if (m->suspect <= m->good) {
		m->suspect = least < m->bad ? least : 0;
		m->lost = m->suspect != 0;
	}
}

static void end_round(struct hp_pmtu *m, uint64_t wait, uint64_t now_ns)
{
	bool first = m->n_rungs == 1;

	if (m->settled) {
		restart(m, m->size + 1, now_ns);
		m->suspect = m->size;
		m->lost = 1;
		return;
	}
	m->due_ns = now_ns;
	if (m->answered) {
		m->silent = 0;
		learn(m);
	} else if (!first) {
		if (m->silent < SILENT_SHIFT_MAX)
			m->silent++;
		m->due_ns = now_ns + (wait << m->silent);
	}
	m->n_rungs = 0;
	if (m->good >= HP_PMTU_BASE)
		m->state = HP_PMTU_SEARCHING;
	else if (m->bad <= HP_PMTU_BASE)
		m->state = HP_PMTU_ERROR;
	if (m->good && m->bad - m->good <= 1)
		settle(m, now_ns);
}

/* ---- events ------------------------------------------------------------- */

bool hp_pmtu_answered(struct hp_pmtu *m, uint64_t txid, uint64_t now_ns)
{
	uint64_t i = txid - m->txid;

	if (i >= m->n_rungs)
		return false;
	m->answered |= (uint16_t)(1u << i);
	if (m->good <= m->rung[i]) {
		m->good = m->rung[i];
		m->checked_ns = now_ns;
	}
	if (m->settled) {
		m->n_rungs = 0;
	} else if (m->good == m->max) {
		settle(m, now_ns);
	} else if (m->answered == (1u << m->n_rungs) - 1) {
		m->due_ns = now_ns;
	}
	return true;
}

static uint64_t verify_due(const struct hp_pmtu *m, uint64_t traffic_ns)
{
	return traffic_ns > m->checked_ns ? m->checked_ns + VERIFY : HP_NEVER;
}

static uint64_t raise_due(const struct hp_pmtu *m, uint64_t traffic_ns)
{
	return traffic_ns > m->checked_ns ? m->raise_ns : HP_NEVER;
}

unsigned int hp_pmtu_tick(struct hp_pmtu *m, uint64_t srtt_ns,
			  uint64_t traffic_ns, uint64_t now_ns)
{
	uint64_t wait = wait_ns(srtt_ns);

	if (m->state == HP_PMTU_DISABLED)
		return 0;
	if (m->n_rungs) {
		if (now_ns < m->due_ns)
			return 0;
		end_round(m, wait, now_ns);
	}
	if (m->settled && raise_due(m, traffic_ns) <= now_ns)
		restart(m, m->max + 1, now_ns);
	m->answered = 0;
	if (m->settled) {
		if (now_ns < verify_due(m, traffic_ns))
			return 0;
		m->rung[m->n_rungs++] = (uint16_t)m->size;
	} else {
		if (now_ns < m->due_ns)
			return 0;
		fill(m);
	}
	m->due_ns = now_ns + wait;
	return m->n_rungs;
}

uint64_t hp_pmtu_deadline(const struct hp_pmtu *m, uint64_t traffic_ns)
{
	if (m->state == HP_PMTU_DISABLED)
		return HP_NEVER;
	if (m->n_rungs || !m->settled)
		return m->due_ns;
	return hp_time_min(verify_due(m, traffic_ns), raise_due(m, traffic_ns));
}

const char *hp_pmtu_state_text(enum hp_pmtu_state state)
{
	switch (state) {
	case HP_PMTU_DISABLED:
		return "off";
	case HP_PMTU_BASE_STATE:
		return "base";
	case HP_PMTU_SEARCHING:
		return "searching";
	case HP_PMTU_COMPLETE:
		return "complete";
	case HP_PMTU_ERROR:
		return "error";
	}
	return "off";
}
