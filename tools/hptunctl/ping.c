/* SPDX-License-Identifier: ISC */
/* ping: round trips of the path that packets to a peer take. */
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "../ctl_client.h"
#include "hptunctl.h"
#include "../table.h"
#include "../view.h"

static void print_pong(const struct options *o, const json_t *doc)
{
	const json_t *ms = json_object_get(doc, "rtt_ms");
	long long seq = json_integer_value(json_object_get(doc, "seq"));
	char text[HUMAN_TEXT];

	if (!json_is_number(ms)) {
		printf("%s: seq %lld, no answer (%s)\n", o->peer, seq,
		       view_text(doc, "state"));
		return;
	}
	printf("%s: seq %lld, %s, %s, ", o->peer, seq,
	       human_ms(json_number_value(ms), text), view_text(doc, "state"));
	view_path(doc, stdout);
	putchar('\n');
}

static void print_sum(const struct options *o, const json_t *doc)
{
	const json_t *min = json_object_get(doc, "min_ms");
	char a[HUMAN_TEXT], b[HUMAN_TEXT], c[HUMAN_TEXT];

	printf("%s: %lld sent, %lld answered", o->peer,
	       (long long)json_integer_value(json_object_get(doc, "sent")),
	       (long long)json_integer_value(json_object_get(doc,
							     "answered")));
	if (json_is_number(min))
		printf("; least %s, mean %s, most %s",
		       human_ms(json_number_value(min), a),
		       human_ms(json_number_value(
					json_object_get(doc, "mean_ms")), b),
		       human_ms(json_number_value(
					json_object_get(doc, "max_ms")), c));
	putchar('\n');
}

int cmd_ping(const struct options *o)
{
	struct hp_fault f = { 0 };
	char reason[CTL_REASON] = "";
	struct ctl_conn *c = NULL;
	json_t *doc;
	bool answered = false;
	enum hp_err err = ctl_open(o->dirs.run, o->network, &c, &f);

	if (!err)
		err = ctl_ask(c, json_pack("{s:s, s:s, s:i, s:I}", "op",
					   "ping", "peer", o->peer, "count",
					   (int)o->count, "every_ms",
					   (json_int_t)(o->every_ns / HP_MS)),
			      &f);
	if (!err)
		err = HP_ERR_AGAIN;
	while (err == HP_ERR_AGAIN) {
		err = ctl_read(c, -1, &doc, &f);
		if (err)
			break;
		err = ctl_verdict(doc, reason, &f);
		if (json_is_number(json_object_get(doc, "rtt_ms")))
			answered = true;
		if (o->json)
			print_json(doc);
		else if (err == HP_ERR_AGAIN)
			print_pong(o, doc);
		else if (!err)
			print_sum(o, doc);
		fflush(stdout);
		json_decref(doc);
	}
	ctl_close(c);
	if (err)
		return complain(err, reason, &f);
	return answered ? 0 : CTL_EXIT_PATH;
}
