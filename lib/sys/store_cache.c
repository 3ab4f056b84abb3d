/* SPDX-License-Identifier: ISC */
/*
 * STATE/NAME/cache: what hp_node_cache_get() gave. It is worth little: a file
 * that cannot be read is as good as none.
 */
#include "sys/store.h"

#include "node/node.h"

enum hp_err hp_store_load_cache(const struct hp_store *s, struct hp_node *n,
				uint16_t *port, struct hp_fault *f)
{
	char path[HP_PATH_MAX];
	char *text = NULL;
	enum hp_err err;
	size_t len = 0;

	*port = 0;
	err = hp_path_join(path, s->state, "cache", f);
	if (!err)
		err = hp_file_load(path, false, &text, &len, f);
	if (err)
		return err == HP_ERR_UNKNOWN ? HP_OK : err;
	err = hp_node_cache_set(n, (const uint8_t *)text, len, port);
	hp_file_free(text, len);
	if (!err)
		return HP_OK;
	return hp_fault_set(f, err, "it is written anew",
			    "%s is damaged or of another node: where peers "
			    "were reached before is forgotten", path);
}

enum hp_err hp_store_save_cache(const struct hp_store *s,
				const struct hp_node *n, struct hp_fault *f)
{
	uint8_t buf[HP_NODE_CACHE_MAX];
	size_t len = hp_node_cache_get(n, buf);
	char path[HP_PATH_MAX];
	enum hp_err err;

	err = hp_dir_make(s->state, f);
	if (!err)
		err = hp_path_join(path, s->state, "cache", f);
	return err ? err : hp_file_save(path, buf, len, 0600, f);
}
