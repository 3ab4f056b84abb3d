/* SPDX-License-Identifier: ISC */
#include "tun.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

/* What older headers lack. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

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

/* A descriptor of the interface @name; -1 with errno. */
static int attach(const char *name, short flags)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR |
					  flags };
	int head = sizeof(struct virtio_net_hdr);
	int saved, fd;

	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (!ioctl(fd, TUNSETIFF, &ifr) && !ioctl(fd, TUNSETVNETHDRSZ, &head))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* A flow that is written through a queue is given there from then on, so that
 * all flows of a peer would gather where its packets arrive. What is written
 * through a detached queue leaves them where they are.
 */
static int attach_out(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_DETACH_QUEUE };
	int fd = attach(name, IFF_MULTI_QUEUE);
	int saved;

	if (fd < 0 || !ioctl(fd, TUNSETQUEUE, &ifr))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Without IFF_TUN_EXCL it would join an interface of the same name. */
static int make(struct tun *t, const char *name, bool several)
{
	t->fd = attach(name, several ? IFF_MULTI_QUEUE | (short)IFF_TUN_EXCL :
				       0);
	t->out = several && t->fd >= 0 ? attach_out(name) : t->fd;
	if (t->out < 0)
		return -1;
	t->index = if_nametoindex(name);
	return t->index ? 0 : -1;
}

enum hp_err tun_open(struct tun *t, const char *name, bool several,
		     struct hp_fault *f)
{
	int err;

	*t = TUN_CLOSED;
	if (!tun_name_ok(name))
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "use 1 to 15 letters, digits, '-' or '_'",
				    "'%s' cannot be the name of an interface",
				    name);
	strncpy(t->name, name, IFNAMSIZ - 1);
	if (!make(t, name, several))
		return HP_OK;
	err = errno;
	tun_close(t);
	return open_fault(name, err, f);
}

enum hp_err tun_queue(struct tun *t, const struct tun *first)
{
	int saved;

	*t = *first;
	t->out = -1;
	t->fd = attach(first->name, IFF_MULTI_QUEUE);
	if (t->fd >= 0)
		t->out = attach_out(first->name);
	if (t->out >= 0)
		return HP_OK;
	saved = errno;
	tun_close(t);
	errno = saved;
	return HP_ERR_IO;
}

void tun_close(struct tun *t)
{
	if (t->out >= 0 && t->out != t->fd)
		close(t->out);
	if (t->fd >= 0)
		close(t->fd);
	*t = TUN_CLOSED;
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

void tun_offload(struct tun *t, bool on)
{
	const unsigned long tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 |
				  TUN_F_TSO_ECN;

	t->udp = on && !ioctl(t->fd, TUNSETOFFLOAD,
			      tcp | TUN_F_USO4 | TUN_F_USO6);
	t->tcp = t->udp || (on && !ioctl(t->fd, TUNSETOFFLOAD, tcp));
	if (!t->tcp)
		(void)ioctl(t->fd, TUNSETOFFLOAD, 0ul);
}

/* False: a kind of packet that was not asked for. */
static bool from_header(const struct virtio_net_hdr *h, struct hp_offload *o)
{
	*o = (struct hp_offload){
		.size = h->gso_size,
		.sum = h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.sum_start = h->csum_start,
		.sum_offset = h->csum_offset,
	};
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		o->kind = HP_OFFLOAD_NONE;
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		o->kind = HP_OFFLOAD_TCP4;
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		o->kind = HP_OFFLOAD_TCP6;
		return true;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		o->kind = HP_OFFLOAD_UDP;
		return true;
	}
	return false;
}

static uint8_t gso_type(enum hp_offload_kind kind)
{
	switch (kind) {
	case HP_OFFLOAD_NONE:
		return VIRTIO_NET_HDR_GSO_NONE;
	case HP_OFFLOAD_TCP4:
		return VIRTIO_NET_HDR_GSO_TCPV4;
	case HP_OFFLOAD_TCP6:
		return VIRTIO_NET_HDR_GSO_TCPV6;
	case HP_OFFLOAD_UDP:
		return VIRTIO_NET_HDR_GSO_UDP_L4;
	}
	return VIRTIO_NET_HDR_GSO_NONE;
}

enum tun_result tun_read(const struct tun *t, uint8_t *buf, size_t cap,
			 uint32_t *len, struct hp_offload *offload)
{
	struct virtio_net_hdr head;
	const struct iovec iov[] = {
		{ .iov_base = &head, .iov_len = sizeof(head) },
		{ .iov_base = buf, .iov_len = cap },
	};
	ssize_t n = readv(t->fd, iov, 2);

	if (n < 0)
		return result_of(errno);
	if (n < (ssize_t)sizeof(head) || !from_header(&head, offload))
		return TUN_REFUSED;
	*len = (uint32_t)((size_t)n - sizeof(head));
	return TUN_OK;
}

enum tun_result tun_write(const struct tun *t,
			  const struct hp_offload *offload, struct iovec *iov,
			  size_t n)
{
	struct virtio_net_hdr head = {
		.flags = offload->sum ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0,
		.gso_type = gso_type(offload->kind),
		.gso_size = offload->size,
		.csum_start = offload->sum_start,
		.csum_offset = offload->sum_offset,
	};

	/* The first piece ends with the headers and one segment; a hint. */
	if (offload->kind != HP_OFFLOAD_NONE)
		head.hdr_len = (uint16_t)(iov[1].iov_len - offload->size);
	iov[0] = (struct iovec){ .iov_base = &head,
				 .iov_len = sizeof(head) };
	return writev(t->out, iov, (int)n) < 0 ? result_of(errno) : TUN_OK;
}

enum tun_result tun_write_one(const struct tun *t, const struct hp_pkt *p)
{
	const struct hp_offload whole = { 0 };
	struct iovec iov[2] = {
		[1] = { .iov_base = p->data, .iov_len = p->len },
	};

	return tun_write(t, &whole, iov, 2);
}
