# SPDX-License-Identifier: BSD-2-Clause
"""Programs that several groups of the suite run: an echo server and its clients, nginx."""
import os

from libsuite import MIB, address_of, need, noise

ECHO = """
import asyncio, sys
async def echo(r, w):
    while data := await r.read(65536):
        w.write(data)
        await w.drain()
    w.close()
async def serve():
    server = await asyncio.start_server(echo, sys.argv[2], int(sys.argv[3]), backlog=512)
    async with server:
        await server.serve_forever()
async def one(i):
    r, w = await asyncio.open_connection(sys.argv[2], int(sys.argv[3]))
    block = bytes([i % 251]) * 40000
    async def send():
        w.write(block)
        await w.drain()
        w.write_eof()
    got, _ = await asyncio.gather(r.read(-1), send())
    w.close()
    await w.wait_closed()
    return got == block
async def ask():
    same = await asyncio.gather(*[one(i) for i in range(200)])
    print(sum(same))
asyncio.run(serve() if sys.argv[1] == "serve" else ask())
"""

NGINX = """
worker_processes {workers};
worker_rlimit_nofile 20000;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 60;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{
        listen {address}:{port} backlog=4096;
        root {folder}/www;
        location /version {{ return 200 "{version}"; }}
    }}
}}
"""


def nginx(s, side, workers=4, connections=4096, **kw):
    """Starts it. => the master process"""
    (path,) = need("nginx")
    os.makedirs(s.path("www"), exist_ok=True)
    os.chmod(s.folder, 0o755)
    s.file("www/data", noise(100 * MIB))
    s.file("www/1k", noise(1024))
    nginx_conf(s, side, workers, connections)
    process = s.start(side, [path, "-c", s.path("nginx.conf"), "-p", s.folder], **kw)
    s.reachable(address_of(side), 8080, process)
    return process


def nginx_conf(s, side, workers=4, connections=4096, version="one"):
    s.file("nginx.conf", NGINX.format(folder=s.folder, address=address_of(side), port=8080,
                                      workers=workers, connections=connections, version=version))
