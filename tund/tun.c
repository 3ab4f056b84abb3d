/* SPDX-License-Identifier: ISC */
#include "tun.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

_Static_assert(sizeof(struct virtio_net_hdr) == TUN_HEAD, "header size");
_Static_assert(TUN_HEAD <= HP_HEADROOM, "the header lives in the headroom");

#define TUN_PATH "/dev/net/tun"

bool tun_name_ok(const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++) {
		unsigned char c = (unsigned char)name[i];

		/* As the kernel's dev_valid_name(); '%' is a template. */
		if (isspace(c) || iscntrl(c) || c == '/' || c == ':' ||
		    c == '%' || i >= IFNAMSIZ - 1)
			return false;
	}
	return i > 0 && strcmp(name, ".") && strcmp(name, "..");
}

static enum hp_err open_fault(const char *name, int err, struct hp_fault *f)
{
	switch (err) {
	case EPERM:
	case EACCES:
		return hp_fault_set(f, HP_ERR_DENIED,
				    "run this as root, or with CAP_NET_ADMIN",
				    "not allowed to make interface %s", name);
	case EBUSY:
	case EINVAL:
	case EEXIST:
		return hp_fault_set(f, HP_ERR_EXISTS,
				    "choose another name, or delete it first",
				    "there is an interface %s already", name);
	case ENOENT:
	case ENODEV:
		return hp_fault_set(f, HP_ERR_IO, "try: modprobe tun",
				    "this system has no " TUN_PATH);
	}
	return hp_fault_set(f, HP_ERR_IO, "", "cannot make interface %s: %s",
			    name, strerror(err));
}

static int make(struct tun *t, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	int head = TUN_HEAD;

	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	t->fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0 || ioctl(t->fd, TUNSETIFF, &ifr) < 0 ||
	    ioctl(t->fd, TUNSETVNETHDRSZ, &head) < 0)
		return -1;
	t->index = if_nametoindex(ifr.ifr_name);
	return t->index ? 0 : -1;
}

enum hp_err tun_open(struct tun *t, const char *name, struct hp_fault *f)
{
	int err;

	*t = (struct tun){ .fd = -1 };
	if (!tun_name_ok(name))
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "use 1 to 15 letters, digits, '-' or '_'",
				    "'%s' cannot be the name of an interface",
				    name);
	strncpy(t->name, name, IFNAMSIZ - 1);
	if (!make(t, name))
		return HP_OK;
	err = errno;
	tun_close(t);
	return open_fault(name, err, f);
}

void tun_close(struct tun *t)
{
	if (t->fd >= 0)
		close(t->fd);
	*t = (struct tun){ .fd = -1 };
}

static enum tun_result result_of(int err)
{
	switch (err) {
	case EAGAIN:
	case EINTR:
	case ENOBUFS:
	case ENOMEM:
		return TUN_AGAIN;
	case EBADFD:
		return TUN_GONE;
	}
	return TUN_REFUSED; /* EIO: the interface is down */
}

enum tun_result tun_read(const struct tun *t, struct hp_pkt *p)
{
	ssize_t n;

	n = read(t->fd, p->data - TUN_HEAD, p->tail + TUN_HEAD);
	if (n < 0)
		return result_of(errno);
	if (n < TUN_HEAD || !hp_pkt_put(p, (uint32_t)(n - TUN_HEAD)))
		return TUN_REFUSED;
	return TUN_OK;
}

enum tun_result tun_write(const struct tun *t, const struct hp_pkt *p)
{
	/* All zero: complete, nothing to segment, nothing to sum. */
	memset(p->data - TUN_HEAD, 0, TUN_HEAD);
	if (write(t->fd, p->data - TUN_HEAD, p->len + TUN_HEAD) < 0)
		return result_of(errno);
	return TUN_OK;
}
