/* SPDX-License-Identifier: BSD-2-Clause */
/* The module with a DNS server of its own, which is a thread that answers as it has been told. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "names.h"

/* --- a server ------------------------------------------------------------------------------- */

static struct {
	pthread_t thread;
	int sock;
	int stop[2];
	int rcode;
	int silent; /* questions that get no answer yet */
	int asked;
	struct names_conf conf;
} dns;

/* A record with the address 192.0.2.42 and the question's name, for questions of type A. */
static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 42};

static void
dns_answer(uint8_t *m, size_t n, const struct sockaddr_in *peer)
{
	size_t end = 12;
	bool found;

	while (m[end] != 0)
		end += m[end] + 1u;
	found = m[end + 2] == ns_t_a && dns.rcode == 0;
	end += 5;
	assert_true(end <= n);
	m[2] = 0x85;
	m[3] = (uint8_t)(0x80 | dns.rcode);
	memset(m + 6, 0, 6);
	m[7] = found;
	memcpy(m + end, record, sizeof(record));
	(void)sendto(dns.sock, m, end + (found ? sizeof(record) : 0), 0,
	    (const struct sockaddr *)peer, sizeof(*peer));
}

static void *
dns_run(void *arg)
{
	struct pollfd pfd[] = {{.fd = dns.sock, .events = POLLIN},
	    {.fd = dns.stop[0], .events = POLLIN}};
	struct sockaddr_in peer;
	uint8_t m[1024];

	while (poll(pfd, 2, -1) > 0 && pfd[1].revents == 0) {
		socklen_t len = sizeof(peer);
		ssize_t n = recvfrom(dns.sock, m, sizeof(m) - sizeof(record), 0,
		    (struct sockaddr *)&peer, &len);

		dns.asked++;
		if (n > 12 && dns.silent-- <= 0)
			dns_answer(m, (size_t)n, &peer);
	}
	return arg;
}

static int
dns_start(void **state)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);

	(void)state;
	memset(&dns, 0, sizeof(dns));
	dns.sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (dns.sock < 0 || bind(dns.sock, (struct sockaddr *)&sin, len) != 0 ||
	    getsockname(dns.sock, (struct sockaddr *)&sin, &len) != 0 || pipe(dns.stop) != 0)
		return -1;
	dns.conf = (struct names_conf){.nc_resolv = "/dev/null",
	    .nc_server = {{.in = sin}},
	    .nc_nservers = 1,
	    .nc_timeout_s = 1,
	    .nc_tries = 1};
	return pthread_create(&dns.thread, NULL, dns_run, NULL);
}

static int
dns_stop(void **state)
{
	(void)state;
	(void)close(dns.stop[1]);
	(void)pthread_join(dns.thread, NULL);
	(void)close(dns.stop[0]);
	return close(dns.sock);
}

/* --- tests ---------------------------------------------------------------------------------- */

static void
test_addresses(void **state)
{
	const uint8_t want[4] = {192, 0, 2, 42};
	struct names_found nf;

	(void)state;
	assert_int_equal(names_addresses(&dns.conf, "host.test", AF_UNSPEC, &nf), 0);
	assert_int_equal(nf.nf_n, 1);
	assert_int_equal(nf.nf_addr[0].na_family, AF_INET);
	assert_memory_equal(nf.nf_addr[0].na_addr, want, 4);
	assert_int_equal(dns.asked, 2);
	free(nf.nf_addr);
	free(nf.nf_canon);
	assert_int_equal(names_addresses(&dns.conf, "host.test", AF_INET6, &nf), EAI_NODATA);
	assert_null(nf.nf_addr);
}

static void
test_errors(void **state)
{
	static const struct {
		int rcode, eai, herrno, error;
	} t[] = {{ns_r_nxdomain, EAI_NONAME, HOST_NOT_FOUND, ENOENT},
	    {ns_r_servfail, EAI_AGAIN, TRY_AGAIN, EAGAIN},
	    {ns_r_refused, EAI_AGAIN, TRY_AGAIN, EAGAIN}};
	char room[1024];
	struct hostent he;
	struct names_found nf;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct names_host ho = {.ho_ent = &he, .ho_buf = room, .ho_len = sizeof(room)};

		dns.rcode = t[i].rcode;
		assert_int_equal(names_addresses(&dns.conf, "host.test", AF_INET, &nf), t[i].eai);
		assert_int_equal(names_byname(&dns.conf, "host.test", AF_INET, &ho), t[i].error);
		assert_int_equal(ho.ho_herrno, t[i].herrno);
	}
}

/* Whatever the room, the entry fits or ERANGE is told, and nothing behind the room is touched. */
static void
test_rooms(void **state)
{
	char room[512];
	struct hostent he;
	bool fits = false;

	(void)state;
	for (size_t len = 0; len < 256; len++) {
		struct names_host ho = {.ho_ent = &he, .ho_buf = room + 1, .ho_len = len};
		int error;

		memset(room, 0x5a, sizeof(room));
		error = names_byname(&dns.conf, "host.test", AF_INET, &ho);
		for (size_t i = len + 1; i < sizeof(room); i++)
			assert_int_equal(room[i], 0x5a);
		assert_int_equal(error, fits || error == 0 ? 0 : ERANGE);
		assert_int_equal(ho.ho_herrno, error == 0 ? NETDB_SUCCESS : NETDB_INTERNAL);
		fits = error == 0;
	}
	assert_true(fits);
	assert_string_equal(he.h_name, "host.test");
	assert_null(he.h_aliases[0]);
	assert_int_equal((uintptr_t)he.h_addr_list % sizeof(char *), 0);
	assert_int_equal(he.h_length, 4);
	assert_non_null(he.h_addr_list[0]);
	assert_null(he.h_addr_list[1]);
}

static void
test_aliases(void **state)
{
	char *aliases[] = {(char[]){"NAME"}, (char[]){"other"}, NULL}, *none[] = {NULL};
	const struct hostent from = {.h_name = (char[]){"name"},
	    .h_aliases = aliases,
	    .h_addrtype = AF_INET,
	    .h_length = 4,
	    .h_addr_list = none};
	char room[256];
	struct hostent he;
	struct names_host ho = {.ho_ent = &he, .ho_buf = room, .ho_len = sizeof(room)};

	(void)state;
	assert_int_equal(hostent_pack(&from, &ho), 0);
	assert_string_equal(he.h_aliases[0], "other");
	assert_null(he.h_aliases[1]);
}

static const uint8_t query[] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 'h', 'o', 's', 't', 0,
    0, 1, 0, 1};

static void
test_send(void **state)
{
	uint8_t answer[512], small[20];

	(void)state;
	assert_int_equal(names_send(&dns.conf, query, sizeof(query), answer, sizeof(answer)),
	    sizeof(query) + sizeof(record));
	assert_memory_equal(answer, query, 2);
	assert_int_equal(answer[7], 1);
	assert_int_equal(names_send(&dns.conf, query, sizeof(query), small, sizeof(small)),
	    sizeof(query) + sizeof(record));
	assert_int_equal(small[2] & 2, 2); /* cut */
	assert_int_equal(names_send(&dns.conf, query, sizeof(query), small, 11), -1);
	assert_int_equal(errno, EINVAL);
	dns.rcode = ns_r_nxdomain;
	assert_int_equal(names_send(&dns.conf, query, sizeof(query), answer, sizeof(answer)),
	    sizeof(query));
	assert_int_equal(answer[3] & 15, ns_r_nxdomain);
}

/* A server that is silent is asked as often as is wanted. */
static void
test_patience(void **state)
{
	uint8_t answer[512];

	(void)state;
	dns.silent = 1;
	dns.conf.nc_tries = 2;
	assert_true(names_send(&dns.conf, query, sizeof(query), answer, sizeof(answer)) > 0);
	assert_int_equal(dns.asked, 2);
	dns.silent = 10;
	dns.conf.nc_tries = 1;
	assert_int_equal(names_send(&dns.conf, query, sizeof(query), answer, sizeof(answer)), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_int_equal(dns.asked, 3);
}

static void
test_setup(void **state)
{
	char path[] = "/tmp/rumpus-names-XXXXXX";
	const char text[] = "nameserver 192.0.2.53\nnameserver 192.0.2.54\nsearch a.test b.test\n"
			    "options ndots:3 timeout:7 attempts:4 use-vc\n";
	struct names_conf nc = {.nc_resolv = path};
	struct __res_state rs = {.options = RES_DEFAULT};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(names_setup(&nc, &rs), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rs.nscount, 2);
	assert_int_equal(rs.nsaddr_list[1].sin_addr.s_addr, inet_addr("192.0.2.54"));
	assert_int_equal(rs.nsaddr_list[1].sin_port, htons(53));
	assert_string_equal(rs.dnsrch[0], "a.test");
	assert_string_equal(rs.dnsrch[1], "b.test");
	assert_null(rs.dnsrch[2]);
	assert_int_equal(rs.ndots, 3);
	assert_int_equal(rs.retrans, 7);
	assert_int_equal(rs.retry, 4);
	assert_true((rs.options & RES_USEVC) != 0);
}

static void
test_ascii(void **state)
{
	char *out;

	(void)state;
	assert_int_equal(names_to_ascii("plain.test", &out), 0);
	assert_string_equal(out, "plain.test");
	free(out);
	assert_int_equal(names_to_unicode("plain.test", &out), 0);
	assert_string_equal(out, "plain.test");
	free(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_addresses, dns_start, dns_stop),
	    cmocka_unit_test_setup_teardown(test_errors, dns_start, dns_stop),
	    cmocka_unit_test_setup_teardown(test_rooms, dns_start, dns_stop),
	    cmocka_unit_test(test_aliases),
	    cmocka_unit_test_setup_teardown(test_send, dns_start, dns_stop),
	    cmocka_unit_test_setup_teardown(test_patience, dns_start, dns_stop),
	    cmocka_unit_test(test_setup),
	    cmocka_unit_test(test_ascii),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
