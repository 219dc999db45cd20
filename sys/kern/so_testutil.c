/* SPDX-License-Identifier: BSD-2-Clause */
/* Help for tests of the socket layer; see so_testutil.h. */
#include "kern/so_testutil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/cdefs.h"
#include "kern/mbuf.h"
#include "kern/socketvar.h"
#include "kern/testutil.h"

#define NPORTS 32u
#define IOVS_MAX 1024u

struct fake fake;

struct fakepcb {
	struct socket *fp_so; /* NULL: detached, data still under way */
	struct fakepcb *fp_peer;
	struct callout fp_deliver;
	uint8_t fp_port;
	uint8_t fp_peerport; /* datagrams */
	bool fp_fin;
	bool fp_detached;
};

static struct fakepcb *fake_ports[NPORTS];

static struct fakepcb *
topcb(const struct socket *so)
{
	return so->so_pcb;
}

struct bsd_sockaddr
fake_addr(uint8_t port)
{
	return (struct bsd_sockaddr){.sa_len = sizeof(struct bsd_sockaddr),
	    .sa_family = BSD_AF_LOCAL,
	    .sa_data = {port}};
}

/* The protocol lets go of its socket. */
static void
fakepcb_free(struct fakepcb *fp)
{
	struct socket *so = fp->fp_so;
	struct fakepcb *peer = fp->fp_peer;

	if (peer != NULL) {
		peer->fp_peer = NULL;
		/* nobody will take what it still holds */
		if (peer->fp_detached)
			callout_reset(&peer->fp_deliver, 0);
	}
	if (fp->fp_port != 0 && fake_ports[fp->fp_port] == fp)
		fake_ports[fp->fp_port] = NULL;
	callout_stop(&fp->fp_deliver);
	so->so_pcb = NULL;
	free(fp);
	sofree(so);
}

static void
fake_drained(struct fakepcb *fp)
{
	struct fakepcb *peer = fp->fp_peer;

	if (fp->fp_fin && peer != NULL && (peer->fp_so->so_state & SS_CANTRCVMORE) == 0)
		socantrcvmore(peer->fp_so);
	if (fp->fp_fin && (fp->fp_so->so_state & SS_ISDISCONNECTING) != 0)
		soisdisconnected(fp->fp_so);
	if (fp->fp_detached)
		fakepcb_free(fp);
}

static void
fake_move(void *arg)
{
	struct fakepcb *fp = arg;
	struct socket *so = fp->fp_so;
	uint32_t n = so->so_snd.sb_cc;

	if (fake.fk_hold && n > 0)
		return;
	if (fp->fp_peer != NULL && n > 0) {
		struct socket *to = fp->fp_peer->fp_so;
		uint32_t space = sbspace(&to->so_rcv);
		struct mbuf *m;

		n = n < space ? n : space;
		m = n > 0 ? m_copym(so->so_snd.sb_mb, 0, n) : NULL;
		if (n > 0 && m == NULL) {
			callout_reset(&fp->fp_deliver, NSEC_PER_MSEC);
			return;
		}
		sbdrop(&so->so_snd, n);
		if ((to->so_state & SS_CANTRCVMORE) != 0)
			m_freem(m);
		else
			sbappendstream(&to->so_rcv, m);
		sb_sanity(&so->so_snd);
		sb_sanity(&to->so_rcv);
		if (n > 0) {
			sorwakeup(to);
			sowwakeup(so);
		}
	} else if (n > 0) {
		sbflush(&so->so_snd);
	}
	if (so->so_snd.sb_cc == 0)
		fake_drained(fp);
}

static int
fake_attach(struct socket *so, int protocol)
{
	struct fakepcb *fp = calloc(1, sizeof(*fp));
	struct mbuf *m = m_get(so->so_ns, MT_DATA); /* so that attach can fail */

	(void)protocol;
	assert_non_null(fp);
	if (m == NULL || (so->so_snd.sb_hiwat == 0 && soreserve(so, FAKE_BUF, FAKE_BUF) != 0)) {
		m_freem(m);
		free(fp);
		return BSD_ENOBUFS;
	}
	m_freem(m);
	fp->fp_so = so;
	callout_init(&fp->fp_deliver, so->so_ns, fake_move, fp);
	so->so_pcb = fp;
	return 0;
}

static void
fake_detach(struct socket *so)
{
	struct fakepcb *fp = topcb(so);

	fp->fp_detached = true;
	fp->fp_fin = true;
	fake_move(fp);
}

static int
fake_bind(struct socket *so, const struct bsd_sockaddr *nam)
{
	uint8_t port = nam->sa_data[0];

	if (port == 0 || port >= NPORTS)
		return BSD_EADDRNOTAVAIL;
	if (fake_ports[port] != NULL)
		return BSD_EADDRINUSE;
	fake_ports[port] = topcb(so);
	topcb(so)->fp_port = port;
	return 0;
}

static int
fake_listen(struct socket *so, int backlog)
{
	(void)backlog;
	return topcb(so)->fp_port != 0 ? 0 : BSD_EDESTADDRREQ;
}

static int
fake_connect(struct socket *so, const struct bsd_sockaddr *nam)
{
	struct fakepcb *head = fake_ports[nam->sa_data[0] % NPORTS];
	struct socket *other;

	if (head == NULL)
		return BSD_ECONNREFUSED;
	soisconnecting(so);
	other = sonewconn(head->fp_so, 0);
	if (other == NULL) {
		so->so_error = BSD_ECONNREFUSED;
		soisdisconnected(so);
		return 0;
	}
	topcb(so)->fp_peer = topcb(other);
	topcb(other)->fp_peer = topcb(so);
	if (!fake.fk_slowconnect)
		fake_finish(so, 0);
	return 0;
}

void
fake_finish(struct socket *so, int error)
{
	struct fakepcb *peer = topcb(so)->fp_peer;

	if (error == 0) {
		soisconnected(peer->fp_so);
		soisconnected(so);
		return;
	}
	so->so_error = error;
	soisdisconnected(so);
	fakepcb_free(peer);
}

void
fake_reset(struct socket *so, int error)
{
	struct fakepcb *fp = topcb(so);

	if (fp->fp_peer != NULL)
		fp->fp_peer->fp_peer = NULL;
	fp->fp_peer = NULL;
	so->so_error = error;
	soisdisconnected(so);
}

void
fake_letgo(struct socket *so)
{
	fakepcb_free(topcb(so));
}

static int
fake_accept(struct socket *so, union bsd_sockaddr_any *nam)
{
	if ((so->so_state & SS_ISDISCONNECTED) != 0)
		return BSD_ECONNABORTED;
	nam->sa = fake_addr(77);
	return 0;
}

static int
fake_disconnect(struct socket *so)
{
	struct fakepcb *fp = topcb(so);

	if ((so->so_options & BSD_SO_LINGER) != 0 && so->so_linger_s == 0) {
		if (fp->fp_peer != NULL)
			fake_reset(fp->fp_peer->fp_so, BSD_ECONNRESET);
		soisdisconnected(so);
		return 0;
	}
	fp->fp_fin = true;
	soisdisconnecting(so);
	fake_move(fp);
	return 0;
}

static void
fake_abort(struct socket *so)
{
	struct fakepcb *fp = topcb(so);

	fake.fk_naborts++;
	if (fp->fp_peer != NULL)
		fake_reset(fp->fp_peer->fp_so, BSD_ECONNRESET);
	sbflush(&so->so_snd);
	fakepcb_free(fp);
}

static int
fake_shutdown(struct socket *so)
{
	socantsendmore(so);
	topcb(so)->fp_fin = true;
	fake_move(topcb(so));
	return 0;
}

static void
fake_rcvd(struct socket *so, int flags)
{
	struct fakepcb *peer = topcb(so)->fp_peer;

	(void)flags;
	fake.fk_nrcvds++;
	if (peer != NULL && peer->fp_so->so_snd.sb_cc > 0)
		fake_move(peer);
}

static int
fake_rcvoob(struct socket *so, uint8_t *byte, int flags)
{
	(void)so;
	(void)flags;
	*byte = fake.fk_oob;
	return fake.fk_ooberror;
}

/* Logs a pr_send. => the error it is to fail with */
static int
fake_log(struct socket *so, int flags, const struct mbuf *m)
{
	int error = fake.fk_senderror;

	if (fake.fk_nsends < FAKE_LOG) {
		fake.fk_flags[fake.fk_nsends] = flags;
		fake.fk_bytes[fake.fk_nsends] = (uint32_t)m_length(m);
	}
	fake.fk_nsends++;
	fake.fk_sawoptions = so->so_options;
	fake.fk_senderror = 0;
	return error;
}

static int
fake_send(struct socket *so, int flags, struct mbuf *m, const struct bsd_sockaddr *nam,
    struct mbuf *control)
{
	int error = fake_log(so, flags, m);

	(void)nam;
	if (error != 0 || control != NULL) {
		m_freem(m);
		m_freem(control);
		return error != 0 ? error : BSD_EINVAL;
	}
	sbappendstream(&so->so_snd, m);
	sb_sanity(&so->so_snd);
	if (fake.fk_latency_ns != 0)
		callout_reset(&topcb(so)->fp_deliver, fake.fk_latency_ns);
	else
		fake_move(topcb(so));
	return 0;
}

void
fake_release(struct socket *so)
{
	fake.fk_hold = false;
	fake_move(topcb(so));
}

static int
fakedg_connect(struct socket *so, const struct bsd_sockaddr *nam)
{
	topcb(so)->fp_peerport = (uint8_t)nam->sa_data[0];
	soisconnected(so);
	return 0;
}

static int
fakedg_disconnect(struct socket *so)
{
	topcb(so)->fp_peerport = 0;
	so->so_state &= ~(uint32_t)SS_ISCONNECTED;
	return 0;
}

static void
fakedg_detach(struct socket *so)
{
	fakepcb_free(topcb(so));
}

static int
fakedg_send(struct socket *so, int flags, struct mbuf *m, const struct bsd_sockaddr *nam,
    struct mbuf *control)
{
	uint8_t port = nam != NULL ? (uint8_t)nam->sa_data[0] : topcb(so)->fp_peerport;
	struct fakepcb *to = fake_ports[port % NPORTS];
	struct bsd_sockaddr from = fake_addr(topcb(so)->fp_port);
	int error = fake_log(so, flags, m);

	assert_true((m->m_flags & M_PKTHDR) != 0);
	m_sanity(m);
	if (error != 0 || to == NULL ||
	    !sbappendaddr(&to->fp_so->so_rcv, &from, sizeof(from), m, control)) {
		m_freem(m);
		m_freem(control);
		return error;
	}
	sb_sanity(&to->fp_so->so_rcv);
	sorwakeup(to->fp_so);
	return 0;
}

static const struct pr_usrreqs fake_stream_usrreqs = {
    .pr_attach = fake_attach,
    .pr_detach = fake_detach,
    .pr_bind = fake_bind,
    .pr_listen = fake_listen,
    .pr_connect = fake_connect,
    .pr_accept = fake_accept,
    .pr_disconnect = fake_disconnect,
    .pr_abort = fake_abort,
    .pr_shutdown = fake_shutdown,
    .pr_rcvd = fake_rcvd,
    .pr_rcvoob = fake_rcvoob,
    .pr_send = fake_send,
};
static const struct pr_usrreqs fake_dgram_usrreqs = {
    .pr_attach = fake_attach,
    .pr_detach = fakedg_detach,
    .pr_bind = fake_bind,
    .pr_connect = fakedg_connect,
    .pr_disconnect = fakedg_disconnect,
    .pr_abort = fakedg_detach,
    .pr_send = fakedg_send,
};

static const struct domain fake_domain;
static const struct protosw fake_protosw[] = {
    {.pr_type = BSD_SOCK_STREAM,
	.pr_protocol = 6,
	.pr_flags = PR_CONNREQUIRED | PR_WANTRCVD | PR_LISTEN,
	.pr_domain = &fake_domain,
	.pr_usrreqs = &fake_stream_usrreqs},
    {.pr_type = BSD_SOCK_DGRAM,
	.pr_protocol = 17,
	.pr_flags = PR_ATOMIC | PR_ADDR,
	.pr_domain = &fake_domain,
	.pr_usrreqs = &fake_dgram_usrreqs},
    {.pr_type = BSD_SOCK_RAW,
	.pr_flags = PR_ATOMIC | PR_ADDR,
	.pr_domain = &fake_domain,
	.pr_usrreqs = &fake_dgram_usrreqs},
};
static const struct domain fake_domain = {.dom_family = BSD_AF_LOCAL,
    .dom_name = "fake",
    .dom_protosw = fake_protosw,
    .dom_nprotosw = 3};

/* Sleeps, then fails or moves the bytes. */
static int
fake_copy(struct vmspace *vm, const struct kvec *kv, unsigned nkv, uint64_t uaddr, bool in)
{
	struct netstack *ns = vm->vm_ns;
	unsigned call = ++fake.fk_copies;
	void (*incopy)(struct netstack *) = fake.fk_incopy;
	struct waitq wq;

	waitq_init(&wq);
	if (fake.fk_copysleep_ns != 0) {
		int error = tsleep(ns, &wq, "fakecopy", fake.fk_copysleep_ns);

		if (error != BSD_EWOULDBLOCK)
			return error;
	}
	fake.fk_incopy = NULL;
	if (incopy != NULL)
		incopy(ns);
	if (call == fake.fk_copyfail)
		return BSD_EFAULT;
	return in ? copy_engine_direct.ce_copyin(vm, uaddr, kv, nkv)
		  : copy_engine_direct.ce_copyout(vm, kv, nkv, uaddr);
}

static int
fake_copyin(struct vmspace *vm, uint64_t uaddr, const struct kvec *kv, unsigned nkv)
{
	return fake_copy(vm, kv, nkv, uaddr, true);
}

static int
fake_copyout(struct vmspace *vm, const struct kvec *kv, unsigned nkv, uint64_t uaddr)
{
	return fake_copy(vm, kv, nkv, uaddr, false);
}

static const struct copy_engine fake_engine = {.ce_name = "fake",
    .ce_copyin = fake_copyin,
    .ce_copyout = fake_copyout};

struct netstack *
fake_start(void)
{
	static const struct domain *const domains[] = {&fake_domain, NULL};
	struct netstack_config nc = test_config();
	struct netstack *ns;
	struct proc *p;

	memset(&fake, 0, sizeof(fake));
	fake.fk_copysleep_ns = 50 * NSEC_PER_USEC;
	memset(fake_ports, 0, sizeof(fake_ports));
	nc.nc_domains = domains;
	ns = netstack_create(&nc);
	assert_non_null(ns);
	assert_int_equal(proc_create(ns, "test", &fake_engine, NULL, &p), 0);
	return ns;
}

struct proc *
fake_proc(struct netstack *ns)
{
	return TAILQ_FIRST(&ns->ns_procs);
}

void
fake_endproc(struct netstack *ns)
{
	proc_exit(fake_proc(ns));
	test_run_for(ns, 60 * NSEC_PER_SEC);
	assert_true(TAILQ_EMPTY(&ns->ns_procs));
	assert_true(TAILQ_EMPTY(&ns->ns_sockets));
}

void
fake_end(struct netstack *ns)
{
	fake_endproc(ns);
	test_netstack_end(ns);
}

struct socket *
fake_socket(struct netstack *ns, int type)
{
	struct socket *so;

	assert_int_equal(socreate(ns, BSD_AF_LOCAL, type, 0, &so), 0);
	return so;
}

bool
fake_trypair(struct netstack *ns, struct socket **a, struct socket **b)
{
	struct bsd_sockaddr nam = fake_addr(1);
	struct socket *head;
	int error = socreate(ns, BSD_AF_LOCAL, BSD_SOCK_STREAM, 0, &head);

	if (error != 0)
		return false;
	assert_int_equal(sobind(head, &nam), 0);
	assert_int_equal(solisten(head, 5), 0);
	error = socreate(ns, BSD_AF_LOCAL, BSD_SOCK_STREAM, 0, a);
	if (error == 0) {
		assert_int_equal(soconnect(*a, &nam), 0);
		error = soaccept(head, true, b, NULL);
		if (error != 0)
			soclose(*a);
	}
	soclose(head);
	return error == 0;
}

void
fake_pair(struct netstack *ns, struct socket **a, struct socket **b)
{
	assert_true(fake_trypair(ns, a, b));
}

void
fake_setint(struct socket *so, int name, int value)
{
	struct sockopt sopt = {.sopt_level = BSD_SOL_SOCKET,
	    .sopt_name = name,
	    .sopt_size = sizeof(value)};

	memcpy(sopt.sopt_data, &value, sizeof(value));
	assert_int_equal(sosetopt(so, &sopt), 0);
}

struct io
io_of(struct socket *so, bool send, void *buf, size_t len, int flags)
{
	return (struct io){.io_so = so,
	    .io_send = send,
	    .io_buf = buf,
	    .io_len = len,
	    .io_flags = flags};
}

void
io_main(struct lwp *l, void *arg)
{
	struct io *io = arg;
	size_t split = io->io_split != 0 ? io->io_split : io->io_len;
	struct bsd_iovec *iov = calloc(IOVS_MAX, sizeof(*iov));
	unsigned n = 0;
	struct uio uio;

	for (size_t off = 0; off < io->io_len; off += split) {
		iov[n].iov_base = (uint64_t)(uintptr_t)(io->io_buf + off);
		iov[n++].iov_len = io->io_len - off < split ? io->io_len - off : split;
		assert_true(n < IOVS_MAX);
	}
	uio_init(&uio, iov, n, io->io_send ? UIO_WRITE : UIO_READ, &l->l_proc->p_vm);
	io->io_outflags = io->io_flags;
	if (io->io_send)
		io->io_error = sosend(io->io_so, io->io_nam, &uio, NULL, NULL, io->io_flags);
	else
		io->io_error =
		    soreceive(io->io_so, &io->io_from, &uio, NULL, NULL, &io->io_outflags);
	io->io_done = io->io_len - (size_t)uio.uio_resid;
	io->io_finished = true;
	free(iov);
}

void
io_start(struct netstack *ns, struct io *io)
{
	io->io_lwp = lwp_start(fake_proc(ns), io_main, io);
	assert_non_null(io->io_lwp);
}

void
io_run(struct netstack *ns, struct io *io)
{
	io_start(ns, io);
	test_run_for(ns, 60 * NSEC_PER_SEC);
}

int64_t
io_do(struct socket *so, bool send, void *buf, size_t len, int flags)
{
	struct io io = io_of(so, send, buf, len, flags);

	io_run(so->so_ns, &io);
	assert_true(io.io_finished);
	return io.io_error != 0 ? -(int64_t)io.io_error : (int64_t)io.io_done;
}
