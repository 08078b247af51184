"""The first process of a sandbox that lasts: starts commands when it is told to, and tells how they end.

It runs inside, by its text, under the sandbox's own Python: standard library only, and as little of it as it can.
Each command is a bash of its own that begins with the folder, the variables and the functions that the last one
which ended by itself has left. So no command can break the next one, whatever it sets, and one that hangs can be
ended without the others. Nothing here guards anything: what runs beside it may do all that it can.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

_OLD, _NEW = 198, 199
_WHOLE = b"\n: whole\n"
_STATE_BYTES = 1 << 20
_MESSAGE = 256 << 10
_ROUNDS = 50
_CHILD_SUBREAPER = 36

# `export -p` and `declare -f` write what bash itself can read. The folder comes last: one that is gone is told.
_COMMAND = rf"""
[ -s /proc/self/fd/{_OLD} ] && . /proc/self/fd/{_OLD}
trap '{{ export -p; declare -f
printf "cd -- %q 2>/dev/null ||" "$PWD"
printf " {{ PWD=\$(pwd -P); echo \"[the working folder is gone: this is \$PWD]\"; }}\n"
printf "\n: whole\n"; }} >/proc/self/fd/{_NEW} 2>/dev/null' EXIT
eval "shift
$1"
"""


class FirstProcess:
    """`channel` is the socket to the hub; when it closes, everything ends."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._state = os.memfd_create("state")
        self._running: dict[int, tuple[int, int]] = {}

    def serve(self) -> None:
        """Do as the hub says until it is gone."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._channel.send(b"ready")
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(woken, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if woken in ready:
                os.read(woken, 4096)
                self._collect()
            if self._channel.fileno() in ready and not self._hear():
                return

    def _hear(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._channel, _MESSAGE, 1)
        if not message:
            return False
        word, number, command = message.split(b" ", 2)
        if word == b"run":
            self._start(int(number), command, descriptors[0])
            os.close(descriptors[0])
        elif word == b"end":
            for pid in [pid for pid, (known, _) in self._running.items() if known == int(number)]:
                _end(pid)
        return True

    def _start(self, number: int, command: bytes, output: int) -> None:
        state = os.memfd_create("state")
        words = [b"/bin/bash", b"-c", _COMMAND.encode(), b"bash", command]
        # What was exported stands in the state, and what is not there any more was taken out.
        environment = {} if os.fstat(self._state).st_size else dict(os.environ)
        try:
            pid = os.posix_spawn(
                words[0],
                words,
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, output, 2),
                    (os.POSIX_SPAWN_DUP2, self._state, _OLD),
                    (os.POSIX_SPAWN_DUP2, state, _NEW),
                ],
                setsid=True,
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT],
            )
        except OSError as error:
            os.write(output, f"bash: {error.strerror}\n".encode())
            os.close(state)
            self._channel.send(b"ended %d %d" % (number, 126))
            return
        self._running[pid] = (number, state)

    def _collect(self) -> None:
        """Take in everything that has ended, also what had lost its parent."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            number, state = self._running.pop(pid, (0, -1))
            if number:
                self._keep(state)
                code = os.waitstatus_to_exitcode(status)
                self._channel.send(b"ended %d %d" % (number, code if code >= 0 else 128 - code))

    def _keep(self, state: int) -> None:
        """Let the next command begin with what this one has left, if it came to writing it down."""
        size = os.fstat(state).st_size
        if len(_WHOLE) < size <= _STATE_BYTES and os.pread(state, len(_WHOLE), size - len(_WHOLE)) == _WHOLE:
            self._state, state = state, self._state
        os.close(state)


def _end(first: int) -> None:
    """Kill a command and all that it has started; what an earlier command has left stays."""
    for _ in range(_ROUNDS):
        family = _family(lambda pid, session: first in (pid, session))
        for pid in family:
            _kill(pid)
        if not family:
            return


def _family(belongs: Callable[[int, int], bool]) -> set[int]:
    """The living processes of which this is true (of id and session), and all that these have started."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent, _, session = file.read().rpartition(b")")[2].split()[:4]
            except OSError:
                continue
            if state not in (b"Z", b"X"):
                parents[int(name)] = int(parent)
                if belongs(int(name), int(session)):
                    found.add(int(name))
    while grown := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= grown
    return found - {1, os.getpid()}


def _kill(pid: int) -> None:
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)


def main(channel: int) -> None:
    """Serve on the socket `channel`. As process 1 its end is that of all; elsewhere it has to see to that."""
    os.set_inheritable(channel, False)
    alone = os.getpid() == 1
    if not alone:
        ctypes.CDLL(None).prctl(_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        with socket.socket(fileno=channel) as hub:
            FirstProcess(hub).serve()
    except ConnectionError:
        pass
    finally:
        own = os.getpid()
        for _ in range(0 if alone else _ROUNDS):
            left = _family(lambda pid, _: pid == own)
            for pid in left:
                _kill(pid)
            if not left:
                break
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
