/* SPDX-License-Identifier: ISC */
/*
 * The engine on libipsec-mb: it exists for x86-64 only, and serves only where
 * the processor has at least AVX2; below that libcrypto is the faster one.
 *
 * Of the library's ways to do the same, measured with tests/bench/aead, the
 * fastest: for ChaCha20-Poly1305 one unchecked job a packet (a burst is equal
 * within 1 %, for the library runs this cipher one job after the other; the
 * direct calls are 5 to 15 % slower), for AES-GCM the direct call on a key
 * expanded once.
 */
#ifdef HP_HAVE_IPSEC_MB

#include <stdlib.h>
#include <intel-ipsec-mb.h>

#include "wg/aead_engine.h"
#include "wg/wire.h"

static void *make(void)
{
	IMB_MGR *mb = alloc_mb_mgr(0);
	IMB_ARCH arch;

	if (!mb)
		return NULL;
	if ((mb->features & IMB_CPUFLAGS_AVX2) != IMB_CPUFLAGS_AVX2) {
		free_mb_mgr(mb);
		return NULL;
	}
	init_mb_mgr_auto(mb, &arch);
	if (!imb_get_errno(mb) && arch >= IMB_ARCH_AVX2)
		return mb;
	free_mb_mgr(mb);
	return NULL;
}

static void destroy(void *mb)
{
	free_mb_mgr(mb);
}

/* What AVX2 means to the library includes AES-NI and PCLMULQDQ. */
static bool has_aes(const void *mb)
{
	(void)mb;
	return true;
}

static void expand(void *mb, const struct hp_secret *key, void *schedule)
{
	IMB_AES256_GCM_PRE((IMB_MGR *)mb, key->b, schedule);
}

static void run_aes(IMB_MGR *mb, const struct hp_aead_op *op,
		    IMB_CIPHER_DIRECTION dir, const uint8_t *nonce,
		    uint8_t *tag)
{
	const struct gcm_key_data *key = op->key->schedule;
	struct gcm_context_data ctx;

	if (dir == IMB_DIR_ENCRYPT)
		IMB_AES256_GCM_ENC(mb, key, &ctx, op->data, op->data, op->len,
				   nonce, NULL, 0, tag, HP_WG_TAG);
	else
		IMB_AES256_GCM_DEC(mb, key, &ctx, op->data, op->data, op->len,
				   nonce, NULL, 0, tag, HP_WG_TAG);
}

/* The library does this cipher at once, so the job that comes back is the one
 * submitted.
 */
static void run_chacha(IMB_MGR *mb, const struct hp_aead_op *op,
		       IMB_CIPHER_DIRECTION dir, const uint8_t *nonce,
		       uint8_t *tag)
{
	IMB_JOB *job = IMB_GET_NEXT_JOB(mb);

	job->cipher_direction = dir;
	job->chain_order = dir == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH :
						    IMB_ORDER_HASH_CIPHER;
	job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
	job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
	job->enc_keys = op->key->secret.b;
	job->dec_keys = op->key->secret.b;
	job->key_len_in_bytes = HP_KEY_LEN;
	job->iv = nonce;
	job->iv_len_in_bytes = HP_AEAD_NONCE;
	job->u.CHACHA20_POLY1305.aad = NULL;
	job->u.CHACHA20_POLY1305.aad_len_in_bytes = 0;
	job->src = op->data;
	job->dst = op->data;
	job->cipher_start_src_offset_in_bytes = 0;
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_cipher_in_bytes = op->len;
	job->msg_len_to_hash_in_bytes = op->len;
	job->auth_tag_output = tag;
	job->auth_tag_output_len_in_bytes = HP_WG_TAG;
	job = IMB_SUBMIT_JOB_NOCHECK(mb);
	while (!job)
		job = IMB_FLUSH_JOB(mb);
	/* Good arguments do not fail; going on would send plaintext. */
	if (job->status != IMB_STATUS_COMPLETED)
		abort();
}

static void run(IMB_MGR *mb, const struct hp_aead_op *op,
		IMB_CIPHER_DIRECTION dir, uint8_t *tag)
{
	uint8_t nonce[HP_AEAD_NONCE];

	hp_aead_nonce(nonce, op);
	if (op->key->suite == HP_SUITE_AES)
		run_aes(mb, op, dir, nonce, tag);
	else
		run_chacha(mb, op, dir, nonce, tag);
}

static void seal(void *mb, struct hp_aead_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		run(mb, &ops[i], IMB_DIR_ENCRYPT, ops[i].data + ops[i].len);
}

static void open_all(void *mb, struct hp_aead_op *ops, size_t n)
{
	uint8_t tag[HP_WG_TAG];

	for (size_t i = 0; i < n; i++) {
		run(mb, &ops[i], IMB_DIR_DECRYPT, tag);
		ops[i].ok = hp_aead_same(tag, ops[i].data + ops[i].len,
					 sizeof(tag));
	}
}

const struct hp_aead_vt hp_aead_ipsec_mb = {
	.engine = HP_AEAD_IPSEC_MB,
	.make = make,
	.destroy = destroy,
	.has_aes = has_aes,
	.schedule_len = sizeof(struct gcm_key_data),
	.expand = expand,
	.seal = seal,
	.open = open_all,
};

#else

/* A translation unit may not be empty. */
extern int hp_no_ipsec_mb;

#endif
