#!/usr/bin/env python3
"""What endpoints_test.py runs inside a namespace that no installed tool does: an HTTP server that also takes files, and
TCP peers that idle, keep alive, close first and use a source port again. One act per process.

usage: endpoint_acts.py ACT ARGUMENTS...    exit code 0: it went as it should, 1: it did not and says why"""
import http.server
import os
import socket
import struct
import sys
import threading
import time


class Files(http.server.BaseHTTPRequestHandler):
    """GET and PUT of files in the current folder, connections kept alive."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with open(os.path.basename(self.path), "rb") as file:
            data = file.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_PUT(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        with open(os.path.basename(self.path), "wb") as file:
            file.write(data)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class DualStack(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 64


def act_web(port, folder):
    os.chdir(folder)
    server = DualStack(("::", int(port)), Files)
    print("ready", flush=True)
    server.serve_forever()


def listen(port):
    server = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("::", int(port)))
    server.listen(64)
    print("ready", flush=True)
    return server


def echo(connection):
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)


def act_echo(port):
    server = listen(port)
    while True:
        threading.Thread(target=echo, args=(server.accept()[0],), daemon=True).start()


def act_close_first(port):
    """Says its peer's port and closes, so that TIME-WAIT is on this side."""
    server = listen(port)
    while True:
        connection, peer = server.accept()
        with connection:
            connection.sendall(str(peer[1]).encode())


def everything_from(connection):
    data = b""
    while part := connection.recv(65536):
        data += part
    return data


def act_reuse(address, port, source_port, times, how):
    """Connects again and again from one source port to a peer that closes first; this side closes by fin or reset."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for turn in range(int(times)):
        limit = time.monotonic() + 5
        while True:
            connection = socket.socket(family, socket.SOCK_STREAM)
            connection.settimeout(5)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                connection.bind(("", int(source_port)))
                connection.connect((address, int(port)))
                break
            except OSError as error:  # this side's own last connection is not quite gone yet
                connection.close()
                if time.monotonic() > limit or isinstance(error, TimeoutError):
                    return f"turn {turn}: {error}"
                time.sleep(0.005)
        with connection:
            said = everything_from(connection)
            if said != source_port.encode():
                return f"turn {turn}: `{said}` instead of `{source_port}`"
            if how == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return None


def exchange(connection, count):
    """`count` random bytes there and back."""
    data, kept = os.urandom(count), b""
    sender = threading.Thread(target=connection.sendall, args=(data,))
    sender.start()
    while len(kept) < count:
        part = connection.recv(65536)
        if not part:
            break
        kept += part
    sender.join()
    return kept == data


def act_idle(address, port, seconds, keep_alive):
    """Talks, is silent (with or without keep-alives every second), and talks again over the same connection."""
    with socket.create_connection((address, int(port)), timeout=10) as connection:
        if keep_alive == "yes":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
                connection.setsockopt(socket.IPPROTO_TCP, option, 1)
        if not exchange(connection, 10_000):
            return "nothing came back before the silence"
        time.sleep(float(seconds))
        return None if exchange(connection, 200_000) else "nothing came back after the silence"


def act_half_close(address, port, count):
    """Sends everything, closes its own direction, and reads to the end: the echo comes through a half-closed flow."""
    data = os.urandom(int(count))
    with socket.create_connection((address, int(port)), timeout=20) as connection:
        def send():
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send)
        sender.start()
        kept = everything_from(connection)
        sender.join()
    return None if kept == data else f"{len(kept)} of {len(data)} bytes"


def main():
    why = globals()["act_" + sys.argv[1]](*sys.argv[2:])
    if why:
        print(why)
        sys.exit(1)


main()
