/* SPDX-License-Identifier: BSD-2-Clause */
/* sysctl: names, ranges, text, listing, counters from lists, the stack's own variables. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <rumpus/abi.h>

#include "kern/cdefs.h"
#include "kern/drop.h"
#include "kern/stat.h"
#include "kern/sysctl.h"
#include "kern/testutil.h"

struct object {
	uint32_t o_small;
	uint64_t o_big;
	char o_text[8];
	uint32_t o_fixed;
	char o_secret[8];
	uint32_t o_pin;
};

static int
small_check(struct netstack *ns, const struct sysctl_node *sn, uint64_t value)
{
	(void)ns;
	assert_string_equal(sn->sn_name, "t.small");
	return value == 13 ? BSD_EINVAL : 0;
}

static int
text_check(struct netstack *ns, const struct sysctl_node *sn, uint64_t value)
{
	const char *text = (const char *)(uintptr_t)value;

	(void)ns;
	(void)sn;
	return text[0] == '!' ? BSD_EINVAL : 0;
}

static const struct sysctl_node nodes[] = {
    {"t.small", "a small one", SYSCTL_U32, true, offsetof(struct object, o_small), 4, 2, 100,
	small_check, false},
    {"t.big", "a big one, bytes", SYSCTL_U64, true, offsetof(struct object, o_big), 8, 0,
	UINT64_MAX, NULL, false},
    {"t.text", "words", SYSCTL_STRING, true, offsetof(struct object, o_text), 8, 0, 0, text_check,
	false},
    {"t.fixed", "not to be changed", SYSCTL_U32, false, offsetof(struct object, o_fixed), 4, 0, 0,
	NULL, false},
    {"t.secret", "nobody is told", SYSCTL_STRING, true, offsetof(struct object, o_secret), 8, 0, 0,
	NULL, true},
    {"t.pin", "nor this", SYSCTL_U32, true, offsetof(struct object, o_pin), 4, 0, 9999, NULL, true},
};

enum t_stat { TS_sndpack, TS_rcvpack, TS_COUNT };

static const struct sysctl_node stat_nodes[] = {STAT_NODE("t.stats.", TS_, sndpack, "packets sent")
	STAT_NODE("t.stats.", TS_, rcvpack, "packets received")};
STAT_TABLE_CHECK(stat_nodes, TS_COUNT);

static struct fixture {
	struct netstack *ns;
	struct object o;
	struct sysctl_table st;
} fx;

static int
begin(void **state)
{
	(void)state;
	fx.ns = test_netstack();
	fx.o = (struct object){.o_small = 5, .o_big = 1ull << 40, .o_text = "abc", .o_fixed = 77};
	sysctl_register(fx.ns, &fx.st, nodes, nitems(nodes), &fx.o);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	sysctl_unregister(fx.ns, &fx.st);
	test_netstack_end(fx.ns);
	return 0;
}

static void
test_numbers(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(sysctl_get_u64(fx.ns, "t.small", &v), 0);
	assert_int_equal(v, 5);
	assert_int_equal(sysctl_get_u64(fx.ns, "t.big", &v), 0);
	assert_int_equal(v, 1ull << 40);
	assert_int_equal(sysctl_get_u64(fx.ns, "t.text", &v), BSD_EINVAL);
	assert_int_equal(sysctl_get_u64(fx.ns, "t.smal", &v), BSD_ENOENT);
	assert_int_equal(sysctl_get_u64(fx.ns, "t.small.er", &v), BSD_ENOENT);
	assert_int_equal(sysctl_get_u64(fx.ns, "", &v), BSD_ENOENT);
	assert_int_equal(sysctl_set_u64(fx.ns, "t.small", 2), 0);
	assert_int_equal(sysctl_set_u64(fx.ns, "t.small", 100), 0);
	assert_int_equal(fx.o.o_small, 100);
	assert_int_equal(sysctl_set_u64(fx.ns, "t.small", 1), BSD_EINVAL);
	assert_int_equal(sysctl_set_u64(fx.ns, "t.small", 101), BSD_EINVAL);
	assert_int_equal(sysctl_set_u64(fx.ns, "t.small", 13), BSD_EINVAL);
	assert_int_equal(sysctl_set_u64(fx.ns, "t.small", (1ull << 32) + 5), BSD_EINVAL);
	assert_int_equal(fx.o.o_small, 100);
	assert_int_equal(fx.o.o_big, 1ull << 40);
	assert_int_equal(sysctl_set_u64(fx.ns, "t.big", UINT64_MAX), 0);
	assert_int_equal(fx.o.o_big, UINT64_MAX);
	assert_int_equal(sysctl_set_u64(fx.ns, "t.fixed", 77), BSD_EPERM);
	assert_int_equal(sysctl_set_u64(fx.ns, "t.text", 1), BSD_EINVAL);
	assert_int_equal(sysctl_set_u64(fx.ns, "t.none", 1), BSD_ENOENT);
}

static void
test_text(void **state)
{
	static const struct {
		const char *text;
		int error;
		uint64_t value;
	} tries[] = {{"0", 0, 0}, {"12", 0, 12}, {"3k", 0, 3072}, {"1M", 0, 1048576},
	    {"2g", 0, 2147483648u}, {"18446744073709551615", 0, UINT64_MAX},
	    {"18446744073709551616", BSD_EINVAL, 0}, {"99999999999999999999", BSD_EINVAL, 0},
	    {"17179869184g", BSD_EINVAL, 0}, {"", BSD_EINVAL, 0}, {"k", BSD_EINVAL, 0},
	    {"1kk", BSD_EINVAL, 0}, {"1t", BSD_EINVAL, 0}, {"-1", BSD_EINVAL, 0},
	    {" 1", BSD_EINVAL, 0}, {"0x10", BSD_EINVAL, 0}, {"1 ", BSD_EINVAL, 0}};

	(void)state;
	for (size_t i = 0; i < nitems(tries); i++) {
		fx.o.o_big = 4711;
		assert_int_equal(sysctl_set_text(fx.ns, "t.big", tries[i].text), tries[i].error);
		assert_int_equal(fx.o.o_big, tries[i].error == 0 ? tries[i].value : 4711);
	}
	assert_int_equal(sysctl_set_text(fx.ns, "t.small", "1k"), BSD_EINVAL);
	assert_int_equal(sysctl_set_text(fx.ns, "t.fixed", "x"), BSD_EPERM);
	assert_int_equal(sysctl_set_text(fx.ns, "t.none", "1"), BSD_ENOENT);
	assert_int_equal(sysctl_set_text(fx.ns, "t.text", "sevench"), 0);
	assert_string_equal(fx.o.o_text, "sevench");
	assert_int_equal(sysctl_set_text(fx.ns, "t.text", "eight ch"), BSD_ENAMETOOLONG);
	assert_int_equal(sysctl_set_text(fx.ns, "t.text", "!no"), BSD_EINVAL);
	assert_string_equal(fx.o.o_text, "sevench");
	assert_int_equal(fx.o.o_fixed, 77);
	assert_int_equal(sysctl_set_text(fx.ns, "t.text", ""), 0);
	assert_memory_equal(fx.o.o_text, "\0\0\0\0\0\0\0\0", 8); /* nothing of the old one */
}

/* What is secret may be set, and reads as nothing. */
static void
test_secret(void **state)
{
	const struct sysctl_node *sn;
	char value[SYSCTL_TEXT_MAX] = "some text";
	uint32_t index;
	uint64_t v = 1;
	void *base;

	(void)state;
	assert_int_equal(sysctl_set_text(fx.ns, "t.secret", "sesame"), 0);
	assert_string_equal(fx.o.o_secret, "sesame");
	assert_non_null(sn = sysctl_find(fx.ns, "t.secret", &base, &index));
	assert_int_equal(sysctl_read(sn, base, value), 1);
	assert_memory_equal(value, "\0\0\0\0\0\0\0", 8);
	assert_int_equal(sysctl_set_u64(fx.ns, "t.pin", 1234), 0);
	assert_int_equal(fx.o.o_pin, 1234);
	assert_int_equal(sysctl_get_u64(fx.ns, "t.pin", &v), 0);
	assert_int_equal(v, 0);
	assert_non_null(sn = sysctl_find(fx.ns, "t.text", &base, &index));
	assert_int_equal(sysctl_read(sn, base, value), 4);
	assert_string_equal(value, "abc");
}

/* Every variable is found by its number and by its name, and its name is unique. */
static void
test_listing(void **state)
{
	const struct sysctl_node *sn;
	uint32_t n, index;
	void *base, *base2;

	(void)state;
	for (n = 0; (sn = sysctl_nth(fx.ns, n, &base)) != NULL; n++) {
		assert_ptr_equal(sysctl_find(fx.ns, sn->sn_name, &base2, &index), sn);
		assert_int_equal(index, n);
		assert_ptr_equal(base, base2);
		assert_true(sn->sn_text[0] != '\0');
	}
	assert_true(n >= DROP_COUNT + nitems(nodes));
	assert_null(sysctl_find(fx.ns, "none", &base2, &index));
}

static void
test_stats(void **state)
{
	uint64_t counters[TS_COUNT] = {3, 4}, v;
	struct sysctl_table st;

	(void)state;
	stat_register(fx.ns, &st, stat_nodes, TS_COUNT, counters);
	counters[TS_rcvpack]++;
	assert_int_equal(sysctl_get_u64(fx.ns, "t.stats.sndpack", &v), 0);
	assert_int_equal(v, 3);
	assert_int_equal(sysctl_get_u64(fx.ns, "t.stats.rcvpack", &v), 0);
	assert_int_equal(v, 5);
	assert_int_equal(sysctl_set_u64(fx.ns, "t.stats.sndpack", 0), BSD_EPERM);
	sysctl_unregister(fx.ns, &st);
	assert_int_equal(sysctl_get_u64(fx.ns, "t.stats.sndpack", &v), BSD_ENOENT);
}

static void
test_drops(void **state)
{
	uint64_t v;

	(void)state;
	for (int why = 0; why < DROP_COUNT; why++) {
		char name[64] = "net.drop.";

		strcat(name, drop_name((enum drop_reason)why));
		assert_true(drop_text((enum drop_reason)why)[0] != '\0');
		fx.ns->ns_drops[why] = 100 + (uint64_t)why;
		assert_int_equal(sysctl_get_u64(fx.ns, name, &v), 0);
		assert_int_equal(v, 100 + why);
	}
	assert_string_equal(drop_name(DROP_ARP_SHORT), "arp.short");
}

static void
test_settings_of_the_stack(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(sysctl_set_text(fx.ns, "kern.mbuf.mclbytes", "4k"), 0);
	assert_int_equal(fx.ns->ns_mclbytes, 4096);
	assert_int_equal(sysctl_set_text(fx.ns, "kern.mbuf.mclbytes", "3000"), BSD_EINVAL);
	assert_int_equal(sysctl_set_text(fx.ns, "kern.mbuf.mclbytes", "2048"), 0);
	assert_int_equal(sysctl_set_u64(fx.ns, "kern.mbuf.mclnum", 64), 0);
	assert_int_equal(sysctl_set_u64(fx.ns, "kern.mbuf.mclnum", 0), BSD_EINVAL);
	assert_int_equal(sysctl_set_u64(fx.ns, "kern.mbuf.mclnum", 65), BSD_EINVAL);
	assert_int_equal(sysctl_set_u64(fx.ns, "kern.soreceive.mclnum", 256), 0);
	assert_int_equal(sysctl_set_u64(fx.ns, "kern.soreceive.mclnum", 257), BSD_EINVAL);
	assert_int_equal(sysctl_get_u64(fx.ns, "kern.mbuf.mbufs.limit", &v), 0);
	assert_int_equal(v, TEST_NMBUFS);
	assert_int_equal(sysctl_set_u64(fx.ns, "kern.mbuf.mbufs.limit", 1), BSD_EPERM);
	fx.ns->ns_copystat.cs_soreceive_copyout_bytes = 12345;
	assert_int_equal(sysctl_get_u64(fx.ns, "kern.copy.soreceive_copyout_bytes", &v), 0);
	assert_int_equal(v, 12345);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_FIXTURE(test_numbers),
	    WITH_FIXTURE(test_text),
	    WITH_FIXTURE(test_secret),
	    WITH_FIXTURE(test_listing),
	    WITH_FIXTURE(test_stats),
	    WITH_FIXTURE(test_drops),
	    WITH_FIXTURE(test_settings_of_the_stack),
	};

	return cmocka_run_group_tests_name("sysctl", tests, NULL, NULL);
}
