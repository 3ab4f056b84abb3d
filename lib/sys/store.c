/* SPDX-License-Identifier: ISC */
#include "sys/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "sys/conf.h"
#include "sys/store_conf.h"

static const char *or_default(const char *variable, const char *path)
{
	const char *v = getenv(variable);

	return v && v[0] ? v : path;
}

struct hp_dirs hp_dirs_default(void)
{
	return (struct hp_dirs){
		.config = or_default("HPTUN_CONFIG_DIR", "/etc/hptun"),
		.run = or_default("HPTUN_RUN_DIR", "/run/hptun"),
		.state = or_default("HPTUN_STATE_DIR", "/var/lib/hptun"),
	};
}

enum hp_err hp_store_init(struct hp_store *s, const struct hp_dirs *dirs,
			  const char *name, struct hp_fault *f)
{
	char file[HP_NAME_TEXT + 8];
	enum hp_err err;

	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->iface = (struct hp_iface){
		.device = "hptun0",
		.mtu = HP_STORE_MTU,
		.offload = true,
		.beacon = true,
		.methods = HP_METHODS_ALL,
		.owner = "root",
		.group = "root",
	};
	err = hp_path_join(s->config, dirs->config, name, f);
	if (!err)
		err = hp_path_join(s->state, dirs->state, name, f);
	snprintf(file, sizeof(file), "%s.sock", name);
	if (!err)
		err = hp_path_join(s->socket, dirs->run, file, f);
	snprintf(file, sizeof(file), "%s.pid", name);
	if (!err)
		err = hp_path_join(s->lock, dirs->run, file, f);
	return err;
}

/* A directory that holds a network; one that we may not look into counts. */
static bool is_network(int dir, const char *name)
{
	char path[HP_NAME_TEXT + 16];
	char folded[HP_NAME_TEXT];
	struct stat st;

	if (hp_name_parse(name, folded, NULL) || strcmp(folded, name))
		return false;
	snprintf(path, sizeof(path), "%.32s/network.conf", name);
	return !fstatat(dir, path, &st, 0) || errno == EACCES;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

enum hp_err hp_store_list(const struct hp_dirs *dirs,
			  char names[][HP_NAME_TEXT], size_t cap, size_t *n,
			  struct hp_fault *f)
{
	DIR *d = opendir(dirs->config);
	enum hp_err err = HP_OK;
	struct dirent *e;

	*n = 0;
	if (!d && errno == ENOENT)
		return HP_OK;
	if (!d)
		return hp_fault_set(f, HP_ERR_IO,
				    "run the command as root, or as the owner",
				    "cannot open %s: %s", dirs->config,
				    strerror(errno));
	while (!err && (e = readdir(d))) {
		if (!is_network(dirfd(d), e->d_name))
			continue;
		if (*n == cap)
			err = hp_fault_set(f, HP_ERR_FULL, "",
					   "more than %zu networks in %s", cap,
					   dirs->config);
		else
			snprintf(names[(*n)++], HP_NAME_TEXT, "%.32s",
				 e->d_name);
	}
	closedir(d);
	qsort(names, *n, HP_NAME_TEXT, by_name);
	return err;
}

static enum hp_err pick_named(const struct hp_dirs *dirs, const char *name,
			      char names[][HP_NAME_TEXT], size_t n,
			      char out[HP_NAME_TEXT], struct hp_fault *f)
{
	const char *list[HP_STORE_NETWORKS_MAX];
	char good[HP_NAME_TEXT];
	const char *near;
	enum hp_err err;

	err = hp_name_parse(name, good, f);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++) {
		list[i] = names[i];
		if (!strcmp(names[i], good)) {
			memcpy(out, good, sizeof(good));
			return HP_OK;
		}
	}
	near = hp_suggest(good, list, n);
	err = hp_fault_set(f, HP_ERR_UNKNOWN,
			   "hptun init makes a network, hptun join enters one",
			   "there is no network \"%s\" on this host (in %s)",
			   good, dirs->config);
	if (f && near)
		snprintf(f->remedy, sizeof(f->remedy), "did you mean %s?",
			 near);
	return err;
}

static enum hp_err pick_several(char names[][HP_NAME_TEXT], size_t n,
				struct hp_fault *f)
{
	char list[120] = "";
	size_t len = 0;

	for (size_t i = 0; i < n && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len,
					"%s%s", i ? ", " : "", names[i]);
	return hp_fault_set(f, HP_ERR_UNKNOWN, "say which: --network NAME",
			    "several networks are set up on this host: %s",
			    list);
}

enum hp_err hp_store_pick(const struct hp_dirs *dirs, const char *name,
			  char out[HP_NAME_TEXT], struct hp_fault *f)
{
	char names[HP_STORE_NETWORKS_MAX][HP_NAME_TEXT];
	enum hp_err err;
	size_t n;

	err = hp_store_list(dirs, names, HP_STORE_NETWORKS_MAX, &n, f);
	if (err)
		return err;
	if (name)
		return pick_named(dirs, name, names, n, out, f);
	if (n > 1)
		return pick_several(names, n, f);
	if (!n)
		return hp_fault_set(f, HP_ERR_UNKNOWN,
				    "make one: hptun init --name NAME "
				    "--rendezvous HOST; or enter one: hptun "
				    "join TOKEN",
				    "no network is set up on this host (in %s)",
				    dirs->config);
	memcpy(out, names[0], HP_NAME_TEXT);
	return HP_OK;
}

/* Cuts the newline that ends a one-line file. */
static void chomp(char *text)
{
	text[strcspn(text, "\r\n")] = '\0';
}

static enum hp_err secret_load(const char *dir, const char *name,
			       struct hp_secret *out, struct hp_fault *f)
{
	char path[HP_PATH_MAX];
	char *text = NULL;
	enum hp_err err;
	size_t len = 0;

	err = hp_path_join(path, dir, name, f);
	if (!err)
		err = hp_file_load(path, true, &text, &len, f);
	if (err)
		return err;
	chomp(text);
	if (hp_secret_parse(text, out) || hp_secret_is_zero(out))
		err = hp_fault_set(f, HP_ERR_FORMAT,
				   "put it back from a backup, or run hptun "
				   "leave and join again",
				   "%s does not hold a key", path);
	hp_file_free(text, len);
	return err;
}

static enum hp_err cert_load(const char *dir, struct hp_cert *out,
			     struct hp_fault *f)
{
	uint8_t wire[HP_CERT_WIRE_MAX];
	char path[HP_PATH_MAX];
	struct hp_cert cert;
	char *text = NULL;
	enum hp_err err;
	struct hp_rd r;
	size_t len = 0;
	size_t n = 0;
	bool bad;

	err = hp_path_join(path, dir, "cert", f);
	if (!err)
		err = hp_file_load(path, false, &text, &len, f);
	if (err)
		return err;
	chomp(text);
	bad = sodium_base642bin(wire, sizeof(wire), text, strlen(text), NULL,
				&n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0;
	hp_file_free(text, len);
	r = hp_rd_of(wire, n);
	cert = hp_cert_get(&r);
	if (bad || !hp_rd_done(&r))
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "put it back from a backup, or run hptun "
				    "leave and join again",
				    "%s does not hold a certificate", path);
	*out = cert;
	return HP_OK;
}

static size_t cert_text(const struct hp_cert *cert, char *out, size_t cap)
{
	uint8_t wire[HP_CERT_WIRE_MAX];
	struct hp_wr w = hp_wr_of(wire, sizeof(wire));
	size_t len;

	hp_cert_put(&w, cert);
	sodium_bin2base64(out, cap - 1, wire, w.len,
			  sodium_base64_VARIANT_ORIGINAL);
	len = strlen(out);
	out[len] = '\n';
	return len + 1;
}

/* The certificate that the daemon was given since, when it is good. One that
 * is not is worth nothing: the next holder of the root key gives another.
 */
static void cert_better(struct hp_store *s)
{
	struct hp_identity id = s->id;

	if (!cert_load(s->state, &id.cert, NULL) &&
	    id.cert.kind == HP_CERT_PERMANENT &&
	    hp_cert_same_node(&id.cert, &s->id.cert) &&
	    !hp_identity_check(&id, &s->net.id))
		s->id.cert = id.cert;
	hp_identity_wipe(&id);
}

/* Do the files belong together? */
static enum hp_err store_check(const struct hp_store *s,
			       const struct hp_store_conf *conf,
			       struct hp_fault *f)
{
	const struct hp_grant *g = &s->id.cert.grant;
	struct hp_public id;
	enum hp_err err;

	if (strcmp(conf->network, s->name))
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "make the two the same",
				    "%s/network.conf names the network %s",
				    s->config, conf->network);
	err = hp_identity_check(&s->id, &s->net.id);
	if (err == HP_ERR_KEY)
		return hp_fault_set(f, err,
				    "put the key files back from a backup",
				    "%s/cert is for other keys than node.key "
				    "and sign.key", s->config);
	if (err)
		return hp_fault_set(f, err,
				    "Id in network.conf and cert must be of "
				    "one network",
				    "%s/cert does not verify", s->config);
	if (strcmp(conf->node, g->name) ||
	    !hp_overlay_eq(&conf->overlay, &g->overlay))
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "they come with the invitation; ask for "
				    "another with --again --address",
				    "Name and Address in %s/network.conf are "
				    "not those of the certificate", s->config);
	if (!s->has_root)
		return HP_OK;
	hp_sign_public(&s->root, &id);
	if (!hp_public_eq(&id, &s->net.id))
		return hp_fault_set(f, HP_ERR_KEY, "put back the right one",
				    "%s/root.key is of another network",
				    s->config);
	return HP_OK;
}

static enum hp_err keys_load(struct hp_store *s, struct hp_fault *f)
{
	enum hp_err err;

	err = secret_load(s->config, "node.key", &s->id.key, f);
	if (!err)
		err = secret_load(s->config, "sign.key", &s->id.sign, f);
	if (!err)
		err = cert_load(s->config, &s->id.cert, f);
	if (err)
		return err;
	err = secret_load(s->config, "root.key", &s->root, f);
	if (err == HP_ERR_UNKNOWN)
		return HP_OK;
	s->has_root = !err;
	return err;
}

static enum hp_err store_load(struct hp_store *s, struct hp_fault *f)
{
	struct hp_store_conf conf;
	struct hp_network derived;
	struct hp_secret secret;
	char path[HP_PATH_MAX];
	enum hp_err err;

	err = hp_path_join(path, s->config, "network.conf", f);
	if (!err)
		err = hp_store_conf_load(path, s, &conf, f);
	if (!err)
		err = secret_load(s->config, "network.secret", &secret, f);
	if (err)
		return err;
	hp_network_init(&derived, s->name, &conf.id, &secret);
	memcpy(derived.server, s->net.server, sizeof(derived.server));
	derived.n_servers = s->net.n_servers;
	memcpy(derived.pin, s->net.pin, sizeof(derived.pin));
	derived.n_pins = s->net.n_pins;
	s->net = derived;
	hp_network_wipe(&derived);
	hp_secret_wipe(&secret);
	err = keys_load(s, f);
	if (!err)
		err = store_check(s, &conf, f);
	if (!err)
		cert_better(s);
	if (!err)
		err = hp_path_join(path, s->state, "timestamp", f);
	return err ? err : hp_stamp_open(&s->stamp, path, f);
}

enum hp_err hp_store_open(const struct hp_dirs *dirs, const char *name,
			  struct hp_store **out, struct hp_fault *f)
{
	char picked[HP_NAME_TEXT];
	struct hp_store *s;
	enum hp_err err;

	err = hp_store_pick(dirs, name, picked, f);
	if (err)
		return err;
	s = calloc(1, sizeof(*s));
	if (!s)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	err = hp_store_init(s, dirs, picked, f);
	if (!err)
		err = store_load(s, f);
	if (err)
		hp_store_close(s);
	else
		*out = s;
	return err;
}

void hp_store_close(struct hp_store *s)
{
	if (!s)
		return;
	if (s->peer) {
		sodium_memzero(s->peer, s->n_peers * sizeof(*s->peer));
		free(s->peer);
	}
	sodium_memzero(s, sizeof(*s));
	free(s);
}

static enum hp_err file_put(const char *dir, const char *name,
			    const char *text, size_t len, mode_t mode,
			    struct hp_fault *f)
{
	char path[HP_PATH_MAX];
	enum hp_err err;

	err = hp_path_join(path, dir, name, f);
	return err ? err : hp_file_save(path, text, len, mode, f);
}

static enum hp_err secret_put(const char *dir, const char *name,
			      const struct hp_secret *k, struct hp_fault *f)
{
	char text[HP_KEY_TEXT + 1];
	enum hp_err err;
	size_t len;

	hp_secret_text(k, text);
	len = strlen(text);
	text[len] = '\n';
	err = file_put(dir, name, text, len + 1, 0600, f);
	sodium_memzero(text, sizeof(text));
	return err;
}

static enum hp_err files_put(const struct hp_store *s, const char *dir,
			     const struct hp_members *m, struct hp_fault *f)
{
	char conf[HP_STORE_CONF_TEXT];
	char cert[2 * HP_CERT_WIRE_MAX];
	enum hp_err err;
	size_t len;

	err = secret_put(dir, "network.secret", &s->net.secret, f);
	if (!err)
		err = secret_put(dir, "node.key", &s->id.key, f);
	if (!err)
		err = secret_put(dir, "sign.key", &s->id.sign, f);
	if (!err && s->has_root)
		err = secret_put(dir, "root.key", &s->root, f);
	len = cert_text(&s->id.cert, cert, sizeof(cert));
	if (!err)
		err = file_put(dir, "cert", cert, len, 0644, f);
	len = hp_store_conf_text(s, conf);
	if (!err)
		err = file_put(dir, "network.conf", conf, len, 0600, f);
	if (!err && m)
		err = hp_members_save(dir, m, f);
	return err;
}

enum hp_err hp_store_create(const struct hp_store *s,
			    const struct hp_members *m, struct hp_fault *f)
{
	char temp[HP_PATH_MAX + 8];
	struct stat st;
	enum hp_err err;

	if (!stat(s->config, &st))
		return hp_fault_set(f, HP_ERR_EXISTS,
				    "choose another name with --network, or "
				    "remove it with hptun leave",
				    "the network \"%s\" is set up on this "
				    "host already (%s)", s->name, s->config);
	/* Beside its place, then renamed: half a network is never seen. The
	 * dot keeps it out of hp_store_list().
	 */
	snprintf(temp, sizeof(temp), "%.*s.%s.new",
		 (int)(strlen(s->config) - strlen(s->name)), s->config,
		 s->name);
	err = hp_dir_remove(temp, f);
	if (!err)
		err = hp_dir_make(temp, f);
	/* What an earlier network of this name learnt is not about this. */
	if (!err)
		err = hp_dir_remove(s->state, f);
	if (!err)
		err = files_put(s, temp, m, f);
	if (!err && rename(temp, s->config))
		err = hp_fault_set(f, HP_ERR_IO, "", "cannot make %s: %s",
				   s->config, strerror(errno));
	if (err)
		(void)!hp_dir_remove(temp, NULL);
	return err;
}

enum hp_err hp_store_remove(const struct hp_store *s, struct hp_fault *f)
{
	enum hp_err err = hp_dir_remove(s->config, f);

	return err ? err : hp_dir_remove(s->state, f);
}

/* Marks in @taken the number of @device, when it is one of hptun0 to 63. */
static void device_mark(const char *device, uint64_t *taken)
{
	uint32_t n;

	if (!strncmp(device, "hptun", 5) &&
	    !hp_value_u32(device + 5, 0, 63, &n, NULL))
		*taken |= UINT64_C(1) << n;
}

enum hp_err hp_store_free_device(const struct hp_dirs *dirs, char out[16],
				 struct hp_fault *f)
{
	char names[HP_STORE_NETWORKS_MAX][HP_NAME_TEXT];
	uint64_t taken = 0;
	unsigned int i = 0;
	enum hp_err err;
	size_t n;

	err = hp_store_list(dirs, names, HP_STORE_NETWORKS_MAX, &n, f);
	for (size_t k = 0; k < n && !err; k++) {
		struct hp_store *s;

		err = hp_store_open(dirs, names[k], &s, f);
		if (err)
			return err;
		device_mark(s->iface.device, &taken);
		hp_store_close(s);
	}
	if (err)
		return err;
	while (i < 63 && taken >> i & 1)
		i++;
	snprintf(out, 16, "hptun%u", i);
	return HP_OK;
}

enum hp_err hp_store_save_cert(const struct hp_store *s,
			       const struct hp_cert *cert, struct hp_fault *f)
{
	char text[2 * HP_CERT_WIRE_MAX];
	size_t len = cert_text(cert, text, sizeof(text));
	enum hp_err err = hp_dir_make(s->state, f);

	return err ? err : file_put(s->state, "cert", text, len, 0644, f);
}
