# SPDX-License-Identifier: BSD-2-Clause
"""Where the stack differs, by reason: topic/case, call, what Linux gives, what the stack."""

DIFFERENCES = (
    ("a connection that is reset, or refused, tells the error by the call that meets it; poll() "
     "shows the end, without ERR: only the far end of a pair that goes with bytes unread raises "
     "that", (
        ("proc/killed", "the peer polls #2", "IN ERR HUP", "IN HUP"),
        ("wait/stages", "reset", "IN ERR HUP", "IN HUP"),
        ("wait/stages", "reset #2", "IN OUT ERR HUP", "IN OUT HUP"),
        ("socket/listener-close", "the queued one polls", "IN ERR HUP", "IN HUP"),
        ("data/write-to-closed", "polls #2", "ERR HUP", "HUP"),
        ("peer/fin", "polls #2", "ERR HUP", "HUP"),
        ("data/reset-by-linger", "polls", "IN OUT ERR HUP", "IN OUT HUP"),
        ("data/reset-by-linger", "polls #2", "IN OUT ERR HUP", "IN OUT HUP"),
        ("data/reset-by-linger", "polls #3", "IN OUT ERR HUP", "IN OUT HUP"),
        ("data/reset-with-data", "polls #2", "IN OUT ERR HUP", "IN OUT HUP"),
        ("data/reset-with-data", "polls #4", "IN ERR HUP", "IN HUP"),
    )),
    ("a socket that is not connected yet is one end of a pair that is: it polls writable, "
     "without HUP, and what is written goes to the server, which ends the socket with EPIPE", (
        ("wait/stages", "a new one", "OUT HUP", "OUT"),
        ("wait/stages", "a bound one", "OUT HUP", "OUT"),
        ("sem_conn/unconnected", 'send(fd, "x", 1, MSG_NOSIGNAL)', "EPIPE", "1"),
        ("sem_conn/unconnected", "SO_ERROR", "0", "varies"),
    )),
    ("BSD: a stream cannot be bound or connected to a group, to everybody, or to port 0", (
        ("socket/bind-stream", "bind(c, (struct sockaddr *)&group, ADDRLEN)", "0", "EAFNOSUPPORT"),
    )),
    ("a datagram is a record that the stack looks at afterwards: an error that Linux gives at "
     "once is told by the next call, or by SO_ERROR", (
        ("sem_data/sendfile", "sendfile(u[0], file, NULL, 10)", "EDESTADDRREQ", "10"),
        ("dgram/refused", "polls", "ERR", "IN"),
        ("dgram/refused", "polls #2", "ERR", "IN"),
        ("dgram/refused", 'write(fd, "x", 1) #3', "ECONNREFUSED", "1"),
        ("dgram/refused", "SO_ERROR #2", "0", "varies"),
        ("dgram/refused", "polls #3", "ERR", "IN"),
    )),
    ("a default source (IPV6_PKTINFO as an option) that is not ours, or an interface that there is "
     "not, is refused at once (RFC 3542 §6.6); Linux keeps them, and of what it keeps uses only the "
     "interface. Streams have none", (
        ("sem_six/sticky", "another's address", "0", "EADDRNOTAVAIL"),
        ("sem_six/sticky", "no interface", "0", "ENXIO"),
        ("sem_six/sticky", "of a stream", "0", "ENOPROTOOPT"),
    )),
    ("BSD: a datagram socket that was connected keeps its port", (
        ("dgram/connected", "calls_port(fd[0]) == a", "0", "1"),
    )),
    ("FIONREAD counts all that is there, Linux up to the urgent mark", (
        ("data/urgent", "left", "3", "7"),
    )),
    ("close() cannot wait for the server: what is left is sent in the background", (
        ("opt/linger-waits", "host_now_ms() - start >= 900", "1", "0"),
    )),
    ("a full receiver drops later datagrams, not earlier ones, at another point than Linux", (
        ("dgram/overflow", "recv(fd[1], buf, sizeof(buf), 0)", "varies", "varies"),
    )),
    ("echo requests are for everybody, on a stack of one's own: no net.ipv4.ping_group_range", (
        ("sem_dgram/ping-datagram", "socket", "varies", "ok"),
        ("sem_dgram/ping-datagram",
         "sendto(fd, &echo, sizeof(echo), 0, calls_loopback(0), ADDRLEN)", "varies", "8"),
        ("sem_dgram/ping-datagram",
         "poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1000)", "varies", "1"),
        ("sem_dgram/ping-datagram", "recv(fd, buf, sizeof(buf), MSG_DONTWAIT)", "varies", "8"),
    )),
    ("a TCP socket of the host can be mapped, for zero-copy reads", (
        ("sem_desc/no-file",
         "mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd[0], 0) == MAP_FAILED ? -1 : 0",
         "0", "ENODEV"),
    )),
    ("what takes a privilege over the host, or a part that the stack has not, is refused with the "
     "errno of a Linux that refuses it", (
        ("sem_opt/socket", "SO_DEBUG set", "varies", "EACCES"),
        ("sem_opt/socket", "SO_SNDBUFFORCE set", "varies", "EPERM"),
        ("sem_opt/socket", "SO_RCVBUFFORCE set", "varies", "EPERM"),
        ("sem_opt/socket", "SO_MARK set", "varies", "EPERM"),
        ("sem_opt/socket", "SO_BUSY_POLL set", "varies", "EPERM"),
        ("sem_opt/socket", "SO_INCOMING_CPU set", "varies", "ENOPROTOOPT"),
        ("sem_opt/socket", "SO_ZEROCOPY set", "varies", "EOPNOTSUPP"),
        ("sem_opt/tcp", "TCP_REPAIR set", "varies", "EPERM"),
        ("sem_opt/tcp", "TCP_CC_INFO get", "varies", "0 bytes"),
        ("sem_opt/tcp", "TCP_FASTOPEN_CONNECT set", "varies", "EOPNOTSUPP"),
        ("sem_opt/ip", "IP_TRANSPARENT set", "varies", "EPERM"),
        ("sem_opt/ip", "IP_CHECKSUM set", "varies", "ENOPROTOOPT"),
    )),
    ("only TCP is paced; Linux keeps a rate for datagrams, which a queue discipline of its interface "
     "may heed", (
        ("sem_opt/pacing-rate",
         "setsockopt(dgram, SOL_SOCKET, SO_MAX_PACING_RATE, &narrow, sizeof(narrow))",
         "0", "ENOPROTOOPT"),
    )),
    ("SO_RCVLOWAT holds back read(), not poll()", (
        ("opt/low-waters",
         "get SOL_SOCKET SO_RCVLOWAT #3",
         "16777216, 4 bytes", "2147483647, 4 bytes"),
        ("opt/receive-low-water",
         "poll(&(struct pollfd){.fd = fd[1], .events = POLLIN}, 1, 0)",
         "0", "1"),
    )),
)

REFUSED_WHY = ("nothing in the stack carries the option out: it is refused as an unknown one, "
               "rather than accepted and ignored")
REFUSED = {
    "sem_opt/socket":
        "SO_TIMESTAMP SO_TIMESTAMPNS SO_TIMESTAMPING SO_WIFI_STATUS SO_NOFCS "
        "SO_SELECT_ERR_QUEUE SO_ATTACH_BPF",
    "sem_opt/tcp":
        "TCP_THIN_LINEAR_TIMEOUTS TCP_FASTOPEN TCP_SAVE_SYN TCP_FASTOPEN_NO_COOKIE "
        "TCP_ZEROCOPY_RECEIVE TCP_TX_DELAY",
    "sem_opt/ip":
        "IP_OPTIONS IP_RECVOPTS IP_RETOPTS IP_PASSSEC IP_RECVFRAGSIZE",
}
