/* SPDX-License-Identifier: ISC */
#include "sandbox.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEPT (UINT64_C(1) << CAP_NET_ADMIN | \
	      UINT64_C(1) << CAP_NET_BIND_SERVICE)

/* What is not in the bounding set does not come back by an exec. A process
 * that was started without the right to shrink it was given little anyway.
 */
static int shrink_bounds(const struct __user_cap_data_struct *caps)
{
	int cap;

	if (!(caps[0].effective >> CAP_SETPCAP & 1))
		return 0;
	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(KEPT >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			return -1;
	return 0;
}

enum hp_err sandbox_enter(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct caps[2] = { 0 };
	unsigned int i;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_capget, &head, caps))
		return HP_ERR_IO;
	if (shrink_bounds(caps))
		return HP_ERR_IO;
	for (i = 0; i < 2; i++) {
		uint32_t kept = (uint32_t)(KEPT >> (32 * i));

		caps[i].permitted &= kept;
		caps[i].effective = caps[i].permitted;
		caps[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, caps) ? HP_ERR_IO : HP_OK;
}
