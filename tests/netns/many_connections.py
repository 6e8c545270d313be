"""The two ends of many TCP connections, and of a steady pulse of datagrams, each a process in its own namespace.

  serve               echoes what comes on TCP_PORT, and on UDP_PORT; says `serves`
  hold COUNT          opens COUNT connections and says `holds COUNT`; then, for each line `ask SECONDS` that it reads,
                      sends a number on every connection and says how many answered it, and how many were reset
  pulse               sends a datagram each millisecond until its input ends; says the longest time without an answer

usage: many_connections.py serve|hold|pulse ADDRESS [COUNT]"""
import resource
import select
import socket
import struct
import sys
import threading
import time

TCP_PORT, UDP_PORT = 7000, 7001
AT_ONCE = 250  # less than a ring holds


def serve(address):
    listener = socket.create_server((address, TCP_PORT), backlog=4096)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((address, UDP_PORT))
    poll, held = select.epoll(), {}
    for one in (listener, datagrams):
        one.setblocking(False)
        poll.register(one, select.EPOLLIN)
    print("serves", flush=True)
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                connection, _ = listener.accept()
                connection.setblocking(False)
                held[connection.fileno()] = connection
                poll.register(connection, select.EPOLLIN)
            elif number == datagrams.fileno():
                datagrams.sendto(*datagrams.recvfrom(100))
            else:
                echo(held, number)


def echo(held, number):
    try:
        data = held[number].recv(4096)
        if data:
            return held[number].send(data)
    except OSError:
        pass
    return held.pop(number).close()


def connect(address, count):
    """As many connections, some at a time."""
    connections = []
    while len(connections) < count:
        opening, poll = {}, select.epoll()
        for _ in range(min(AT_ONCE, count - len(connections))):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex((address, TCP_PORT))
            opening[one.fileno()] = one
            poll.register(one, select.EPOLLOUT)
        limit = time.monotonic() + 20
        while opening:
            assert time.monotonic() < limit, f"{len(opening)} connections do not open"
            for number, _ in poll.poll(1):
                assert opening[number].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
                poll.unregister(number)
                connections.append(opening.pop(number))
    return connections


def hold(address, count):
    connections = connect(address, count)
    print(f"holds {len(connections)}", flush=True)
    for turn, line in enumerate(sys.stdin):
        answered, reset = ask(connections, turn, float(line.split()[1]))
        print(f"answered {answered} reset {reset}", flush=True)


def ask(connections, turn, seconds):
    """Sends this turn's number on all, and how many say it back in time, after whatever they said to earlier ones."""
    word, poll, open_ones = struct.pack("<Q", turn), select.epoll(), {one.fileno(): one for one in connections}
    answered = reset = 0
    for at, one in enumerate(connections):
        try:
            one.send(word)
        except OSError:
            reset += 1
            del open_ones[one.fileno()]
            continue
        poll.register(one, select.EPOLLIN)
        if at % AT_ONCE == 0:
            time.sleep(0.002)
    limit = time.monotonic() + seconds
    while open_ones and time.monotonic() < limit:
        for number, _ in poll.poll(0.1):
            try:
                data = open_ones[number].recv(4096)
            except OSError:
                data = b""
            if data and data[-8:] != word:
                continue
            answered += bool(data)
            reset += not data
            poll.unregister(open_ones.pop(number))
    return answered, reset


def pulse(address):
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.connect((address, UDP_PORT))
    line.settimeout(0.001)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    last, longest, answers = time.monotonic(), 0.0, 0
    while not ended.is_set():
        try:
            line.send(b"pulse")
            line.recv(100)
        except OSError:
            continue
        now = time.monotonic()
        longest, last, answers = max(longest, now - last), now, answers + 1
        time.sleep(0.001)
    print(f"{longest:.6f} {answers}", flush=True)


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    elif sys.argv[1] == "hold":
        hold(sys.argv[2], int(sys.argv[3]))
    else:
        pulse(sys.argv[2])
