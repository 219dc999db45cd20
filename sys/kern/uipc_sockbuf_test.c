/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket buffers against a plain array, and their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kern/mbuf.h"
#include "kern/so_testutil.h"
#include "kern/socketvar.h"
#include "kern/testutil.h"

#define MODEL_BYTES 40000u

/* What a stream should hold. */
struct model {
	uint8_t mo_bytes[MODEL_BYTES];
	size_t mo_len;
};

static struct mbuf *
random_chain(struct netstack *ns, struct model *mo, struct mbuf **sharers)
{
	static const char kindof[] = "icsi";
	struct rng *rng = &ns->ns_rng;
	char kinds[4] = "";
	size_t lens[3], n = 1 + rng_below(rng, 3);
	struct mbuf *m;

	for (size_t i = 0; i < n; i++) {
		kinds[i] = kindof[rng_below(rng, 4)];
		lens[i] = (kinds[i] == 's') + rng_below(rng, kinds[i] == 'i' ? 400 : 1500);
	}
	m = test_chain(ns, kinds, lens, sharers);
	m_copydata(m, 0, m_length(m), mo->mo_bytes + mo->mo_len);
	mo->mo_len += m_length(m);
	return m;
}

static void
model_drop(struct model *mo, size_t len)
{
	memmove(mo->mo_bytes, mo->mo_bytes + len, mo->mo_len - len);
	mo->mo_len -= len;
}

static void
check_sndptr(struct sockbuf *sb, const struct model *mo, struct rng *rng)
{
	uint32_t off, moff;
	struct mbuf *m;

	if (sb->sb_cc == 0)
		return;
	off = rng_below(rng, sb->sb_cc);
	m = sb_sndptr(sb, off, &moff);
	assert_true(moff < m->m_len);
	assert_int_equal(m->m_data[moff], mo->mo_bytes[off]);
}

static void
take(struct sockbuf *sb, struct model *mo, uint32_t len)
{
	struct mbuf *m = sbtakestream(sb, len);

	if (len == 0) {
		assert_null(m);
		return;
	}
	test_chain_is(m, mo->mo_bytes, len);
	m_freem(m);
	model_drop(mo, len);
}

static void
random_streams_match_the_model(void **state)
{
	struct netstack *ns = test_netstack();
	static struct model mo;
	struct mbuf *sharers = NULL;
	struct sockbuf sb;

	(void)state;
	sb_init(&sb);
	memset(&mo, 0, sizeof(mo));
	for (unsigned i = 0; i < 20000; i++) {
		struct rng *rng = &ns->ns_rng;

		switch (rng_below(rng, 6)) {
		case 0:
		case 1:
			if (mo.mo_len < 20000)
				sbappendstream(&sb, random_chain(ns, &mo, &sharers));
			m_freepkts(sharers);
			sharers = NULL;
			break;
		case 2: {
			uint32_t len = rng_below(rng, sb.sb_cc + 1);

			sbdrop(&sb, len);
			model_drop(&mo, len);
			break;
		}
		case 3:
			take(&sb, &mo, rng_below(rng, sb.sb_cc + 1));
			break;
		default:
			check_sndptr(&sb, &mo, rng);
			break;
		}
		sb_sanity(&sb);
		assert_int_equal(sb.sb_cc, mo.mo_len);
		if (i % 64 == 0 && sb.sb_mb != NULL)
			test_chain_is(sb.sb_mb, mo.mo_bytes, mo.mo_len);
	}
	sbflush(&sb);
	sb_sanity(&sb);
	assert_int_equal(sb.sb_mbcnt, 0);
	test_netstack_end(ns);
}

static struct mbuf *
bytes(struct netstack *ns, bool cluster, size_t len)
{
	const size_t lens[] = {len};

	return test_chain(ns, cluster ? "c" : "i", lens, NULL);
}

static void
small_mbufs_are_merged(void **state)
{
	struct netstack *ns = test_netstack();
	struct mbuf *shared = NULL;
	struct sockbuf sb;

	(void)state;
	sb_init(&sb);
	for (unsigned i = 0; i < 400; i++)
		sbappendstream(&sb, bytes(ns, false, 1));
	assert_int_equal(sb.sb_cc, 400);
	assert_int_equal(sb.sb_mbcnt, MSIZE);
	sbappendstream(&sb, bytes(ns, true, 600)); /* too much to copy */
	assert_int_equal(sb.sb_mbcnt, 2 * MSIZE + 2048);
	assert_true((sb.sb_mb->m_flags & M_PKTHDR) == 0);
	/* storage that somebody else reads is not written */
	shared = m_copym(sb.sb_mbtail, 0, 600);
	sbappendstream(&sb, bytes(ns, false, 10));
	assert_int_equal(sb.sb_mbcnt, 3 * MSIZE + 2048);
	m_freem(shared);
	sbappendstream(&sb, NULL);
	sbappendstream(&sb, m_get(ns, MT_DATA)); /* empty ones vanish */
	assert_int_equal(sb.sb_mbcnt, 3 * MSIZE + 2048);
	sb_sanity(&sb);
	sbflush(&sb);
	test_netstack_end(ns);
}

static void
space_counts_bytes_and_storage(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *so = fake_socket(ns, BSD_SOCK_STREAM);
	struct sockbuf *sb = &so->so_rcv;

	(void)state;
	assert_int_equal(sbreserve(so, sb, 0), BSD_ENOBUFS);
	assert_int_equal(sbreserve(so, sb, ns->ns_sb_max + 1), BSD_ENOBUFS);
	assert_int_equal(sbreserve(so, sb, 2048), 0);
	assert_int_equal(sbspace(sb), 2048);
	sbappendstream(sb, bytes(ns, true, 600));
	assert_int_equal(sbspace(sb), 1448);
	sbappendrecord(sb, bytes(ns, true, 1));
	sbappendrecord(sb, bytes(ns, true, 1));
	assert_int_equal(sb->sb_mbcnt, 3 * (MSIZE + 2048));
	assert_int_equal(sbspace(sb), 4 * 2048 - 3 * (MSIZE + 2048));
	sbappendrecord(sb, bytes(ns, true, 1));
	assert_int_equal(sbspace(sb), 0); /* overshot, not negative */
	sbdroprecord(sb);
	sb_sanity(sb);
	soclose(so);
	fake_end(ns);
}

static void
records_keep_name_control_and_order(void **state)
{
	struct netstack *ns = fake_start();
	struct socket *so = fake_socket(ns, BSD_SOCK_DGRAM);
	struct sockbuf *sb = &so->so_rcv;
	struct bsd_sockaddr sa = fake_addr(5);
	struct mbuf *m, *control = m_get(ns, MT_CONTROL);

	(void)state;
	control->m_len = 20;
	assert_true(sbappendaddr(sb, &sa, sizeof(sa), bytes(ns, false, 10), control));
	assert_true(sbappendaddr(sb, &sa, sizeof(sa), bytes(ns, true, 600), NULL));
	assert_int_equal(sb->sb_cc, 610); /* data only */
	sb_sanity(sb);
	m = bytes(ns, true, 1500);
	control = m_get(ns, MT_CONTROL);
	assert_int_equal(sbreserve(so, sb, 2048), 0);
	assert_false(sbappendaddr(sb, &sa, sizeof(sa), m, control)); /* no space: still ours */
	assert_int_equal(sbreserve(so, sb, 8192), 0);
	ns->ns_fault.af_fail_at = 1;
	assert_false(sbappendaddr(sb, &sa, sizeof(sa), m, control)); /* no memory */
	assert_true(sbappendaddr(sb, &sa, sizeof(sa), m, control));
	m = sbtakerecord(sb);
	assert_int_equal(m->m_type, MT_SONAME);
	assert_int_equal(m->m_next->m_type, MT_CONTROL);
	assert_int_equal(m->m_next->m_next->m_len, 10);
	m_freem(m);
	sb_sanity(sb);
	sbdroprecord(sb);
	sb_sanity(sb);
	assert_int_equal(sb->sb_cc, 1500);
	sbflush(sb);
	assert_int_equal(ns->ns_drops[DROP_SOCK_GONE], 1);
	assert_null(sbtakerecord(sb));
	sb_sanity(sb);
	soclose(so);
	fake_end(ns);
}

static void
take_without_memory_is_shorter(void **state)
{
	struct netstack *ns = test_netstack();
	struct sockbuf sb;
	struct mbuf *m;

	(void)state;
	sb_init(&sb);
	sbappendstream(&sb, bytes(ns, true, 1000));
	sbappendstream(&sb, bytes(ns, true, 1000));
	ns->ns_fault.af_fail_at = 1;
	m = sbtakestream(&sb, 1500);
	assert_int_equal(m_length(m), 1000);
	m_freem(m);
	ns->ns_fault.af_fail_at = 1;
	assert_null(sbtakestream(&sb, 500));
	assert_int_equal(sb.sb_cc, 1000);
	sb_sanity(&sb);
	sbflush(&sb);
	test_netstack_end(ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_streams_match_the_model),
	    cmocka_unit_test(small_mbufs_are_merged),
	    cmocka_unit_test(space_counts_bytes_and_storage),
	    cmocka_unit_test(records_keep_name_control_and_order),
	    cmocka_unit_test(take_without_memory_is_shorter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
