"""Run a program that the kernel kills as soon as it opens an IPv4 or IPv6 socket. Needs no root and no container.

A seccomp filter kills the program at ``socket(AF_INET)`` or ``socket(AF_INET6)``. So it detects every connection and
DNS query, even in native libraries. Child processes inherit the filter. Sources: Linux' Documentation/userspace-api/
seccomp_filter.rst, include/uapi/linux/filter.h and seccomp.h.
"""

from __future__ import annotations

import ctypes
import platform
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# The machine → its AUDIT_ARCH and the number of its system call ``socket``.
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _KILL_PROCESS = 0x7FFF0000, 0x80000000
_NUMBER_AT, _ARCH_AT, _FIRST_ARGUMENT_AT = 0, 4, 16  # in struct seccomp_data
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2

_libc = ctypes.CDLL(None, use_errno=True)  # not in the child: there, the loader's locks may be held for ever


def why_unsupported() -> str:
    """Return why this machine cannot run a program without network; "" if it can."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return f"no seccomp filter for {sys.platform} on {platform.machine()}"
    killed = run_without_network([sys.executable, "-c", "import socket; socket.socket()"], {})
    allowed = run_without_network([sys.executable, "-c", "import socket; socket.socketpair()"], {})
    return "" if killed.returncode and not allowed.returncode else "the kernel does not accept a seccomp filter"


def run_without_network(
    command: Sequence[str], env: Mapping[str, str], cwd: Path | None = None, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command with ``text`` as its input. The return code is not 0 if it opens an IPv4 or IPv6 socket."""
    return subprocess.run(
        command, env=dict(env), cwd=cwd, input=text, preexec_fn=_refuse, capture_output=True, text=True, timeout=120
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _refuse() -> None:
    arch, number = _MACHINES[platform.machine()]
    steps = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_JUMP_IF_EQUAL, 0, 5, arch),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_JUMP_IF_EQUAL, 0, 3, number),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (_JUMP_IF_EQUAL, 2, 0, socket.AF_INET),
        (_JUMP_IF_EQUAL, 1, 0, socket.AF_INET6),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _KILL_PROCESS),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = _Program(len(steps), ctypes.addressof(code))
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
