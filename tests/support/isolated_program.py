"""Run a program, and observe every connection that it tries to make and every file that it writes anywhere.

``python -m tests.support.isolated_program FOLDER COMMAND…`` runs COMMAND in a new network namespace and on a
copy-on-write view of all file systems. The network has only a loopback interface, which also receives all packets to
other addresses. FOLDER is an empty folder for the view.

The output is a JSON object: ``status``, ``output``, ``contacted`` (["tcp" or "udp", address, port] of each attempt),
``written`` (paths) and ``dropped`` (the number of packets that were not observed). Without root and without user
namespaces, the output is ``unsupported``. Sources: namespaces(7), netdevice(7), packet(7), Linux' Documentation/
filesystems/overlayfs.rst and networking/filter.rst.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from fcntl import ioctl
from pathlib import Path

_NEWNS, _NEWUSER, _NEWNET = 0x00020000, 0x10000000, 0x40000000
_BIND, _REC, _PRIVATE = 0x1000, 0x4000, 0x40000
_SET_FLAGS, _SET_ADDRESS, _ADD_ROUTE, _IS_UP = 0x8914, 0x8916, 0x890B, 1
_ALL_PROTOCOLS, _SYN, _ACK, _UNREACHABLE = 0x0003, 0x02, 0x10, 1
_ATTACH_FILTER, _PACKET_LEVEL, _PACKET_STATISTICS = 26, 263, 6
SOURCE = "10.254.254.254"  # of packets to addresses outside; a loopback address would have no route there
# File systems that are no files of the user's. They are shown as they are.
_KERNEL = frozenset(
    {"proc", "sysfs", "devtmpfs", "devpts", "mqueue", "securityfs", "debugfs", "tracefs", "bpf", "pstore"}
)
_libc = ctypes.CDLL(None, use_errno=True)


class _SocketAddress(ctypes.Structure):
    _fields_ = (("family", ctypes.c_ushort), ("data", ctypes.c_char * 14))


class _Route(ctypes.Structure):  # struct rtentry of <net/route.h>
    _fields_ = (
        ("pad1", ctypes.c_ulong),
        ("destination", _SocketAddress),
        ("gateway", _SocketAddress),
        ("mask", _SocketAddress),
        ("flags", ctypes.c_ushort),
        ("pad2", ctypes.c_short),
        ("pad3", ctypes.c_ulong),
        ("pad4", ctypes.c_void_p),
        ("metric", ctypes.c_short),
        ("device", ctypes.c_char_p),
        ("mtu", ctypes.c_ulong),
        ("window", ctypes.c_ulong),
        ("rtt", ctypes.c_ushort),
    )


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def _mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    arguments = (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _check(_libc.mount(*arguments), f"mount {target}")


def _enter_namespaces() -> None:
    user, group = os.getuid(), os.getgid()
    _check(_libc.unshare(_NEWNS | _NEWNET | (_NEWUSER if user else 0)), "unshare")
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount("none", "/", flags=_REC | _PRIVATE)


def _catch_all_packets() -> None:
    """Bring the loopback interface up, and route the packets for all other addresses to it."""
    with socket.socket() as control:
        ioctl(control, _SET_FLAGS, struct.pack("16sh22x", b"lo", _IS_UP))
        address = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(SOURCE))
        ioctl(control, _SET_ADDRESS, struct.pack("16s16s8x", b"lo:1", address))
        inet = _SocketAddress(socket.AF_INET, b"")
        route = _Route(destination=inet, gateway=inet, mask=inet, flags=_IS_UP, device=b"lo")
        ioctl(control, _ADD_ROUTE, bytes(route))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:  # struct in6_rtmsg of <linux/ipv6_route.h>
        everything = struct.pack("16s16s16sIHHILIi", *(b"",) * 3, 0, 0, 0, 1024, 0, _IS_UP, socket.if_nametoindex("lo"))
        ioctl(control, _ADD_ROUTE, everything)


def _mounts() -> Iterator[tuple[str, str]]:
    """Yield the mount point and the type of each file system. A file system comes before those mounted inside it."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ", 1)
        yield before.split()[4].encode().decode("unicode_escape"), after.split()[0]


def _make_view(folder: Path) -> tuple[Path, dict[str, Path]]:
    """Return the root of a copy-on-write view of all file systems, and mount point → the folder with its changes."""
    mounts = list(_mounts())
    _mount("tmpfs", str(folder), "tmpfs")
    root, changes, shown = folder / "root", dict[str, Path](), list[str]()
    root.mkdir()
    for number, (place, kind) in enumerate(mounts):
        if any(place.startswith(f"{one}/") for one in shown) or (place != "/" and not Path(place).is_dir()):
            continue
        target = str(root) + (place if place != "/" else "")
        if kind in _KERNEL or kind.startswith("cgroup"):
            _mount(place, target, flags=_BIND | _REC)
            shown.append(place)
            continue
        upper, work = folder / f"upper{number}", folder / f"work{number}"
        upper.mkdir()
        work.mkdir()
        _mount("overlay", target, "overlay", options=f"lowerdir={place},upperdir={upper},workdir={work}")
        changes[place] = upper
    return root, changes


def _open_observer() -> socket.socket:
    """Return a socket that gets the first packet of each TCP connection, and all packets of UDP and of IPv6."""
    steps = [  # on a packet that begins with its IP header: (code, jump if true, jump if false, constant)
        (0x30, 0, 0, 0),  # the version
        (0x74, 0, 0, 4),
        (0x15, 7, 0, 6),
        (0x30, 0, 0, 9),  # the protocol
        (0x15, 5, 0, socket.IPPROTO_UDP),
        (0x15, 0, 5, socket.IPPROTO_TCP),
        (0xB1, 0, 0, 0),  # skip the header
        (0x50, 0, 0, 13),  # the flags
        (0x54, 0, 0, _SYN | _ACK),
        (0x15, 0, 1, _SYN),
        (0x06, 0, 0, 0xFFFF),
        (0x06, 0, 0, 0),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_PROTOCOLS))
    packets.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HL", len(steps), ctypes.addressof(code)))
    packets.settimeout(0.1)
    return packets


def _observe(packets: socket.socket, seen: set[tuple[str, str, int]], ended: threading.Event) -> None:
    while True:
        try:
            attempt = _attempt(packets.recv(65535))
        except TimeoutError:
            if ended.is_set():
                return
            continue
        if attempt is not None:
            seen.add(attempt)


def _attempt(frame: bytes) -> tuple[str, str, int] | None:
    """Return the protocol, address and port of a packet's destination; None if the packet does not begin a contact."""
    version = frame[0] >> 4
    if version == 4:
        protocol, destination, rest = frame[9], socket.inet_ntoa(frame[16:20]), frame[(frame[0] & 15) * 4 :]
    elif version == 6:
        protocol, destination, rest = frame[6], socket.inet_ntop(socket.AF_INET6, frame[24:40]), frame[40:]
    else:
        return None
    if protocol == socket.IPPROTO_UDP:
        return "udp", destination, int.from_bytes(rest[2:4], "big")
    if protocol == socket.IPPROTO_TCP and rest[13] & (_SYN | _ACK) == _SYN:
        return "tcp", destination, int.from_bytes(rest[2:4], "big")
    if protocol == socket.IPPROTO_ICMPV6 and rest[0] == _UNREACHABLE:  # the error holds the packet that was refused
        return _attempt(rest[8:])
    return None


def _written(changes: dict[str, Path]) -> list[str]:
    found = [
        str(Path(place) / path.relative_to(upper))
        for place, upper in changes.items()
        for path in upper.rglob("*")
        if not path.is_dir() and not path.is_symlink()
    ]
    return sorted(found)


def main(folder: Path, command: Sequence[str]) -> None:
    here = os.getcwd()
    try:
        _enter_namespaces()
        _catch_all_packets()
        root, changes = _make_view(folder)
    except OSError as error:
        print(json.dumps({"unsupported": f"{error.filename}: {error.strerror}"}))
        return

    def enter() -> None:
        os.chroot(root)
        os.chdir(here)

    seen, ended, packets = set[tuple[str, str, int]](), threading.Event(), _open_observer()
    observer = threading.Thread(target=_observe, args=(packets, seen, ended))
    observer.start()
    child = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=enter)
    ended.set()
    observer.join()
    dropped = struct.unpack("II", packets.getsockopt(_PACKET_LEVEL, _PACKET_STATISTICS, 8))[1]
    result = {"status": child.returncode, "output": child.stdout, "written": _written(changes)}
    print(json.dumps(result | {"contacted": sorted(seen), "dropped": dropped}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
