# SPDX-License-Identifier: GPL-2.0-or-later
"""deny.py nftables|nftables-by-policy|legacy|ipv6[,...] COMMAND…: runs a command under a kernel that seems to lack
that part, or not to allow it (seccomp)."""

import ctypes
import errno
import os
import struct
import sys

# linux/seccomp.h, linux/filter.h; x86-64 numbers of system calls
RET_ALLOW, RET_ERRNO = 0x7FFF0000, 0x00050000
LD, JEQ, RET = 0x20, 0x15, 0x06
SOCKET, GETSOCKOPT = 41, 55
AF_INET6, AF_NETLINK, NETLINK_NETFILTER, SOL_IP, SOL_IPV6, GET_INFO = 10, 16, 12, 0, 41, 64
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


def refuse(call, args, error):
    """Instructions that let @call fail with @error if its arguments (by number) have these low words."""
    tests = [(0, call)] + [(16 + 8 * number, value) for number, value in args.items()]
    code = []
    for i, (offset, value) in enumerate(tests):
        # What does not match jumps behind this block.
        code += [(LD, 0, 0, offset), (JEQ, 0, 2 * (len(tests) - i) - 1, value)]
    return [*code, (RET, 0, 0, RET_ERRNO | error)]


PARTS = {
    "nftables": refuse(SOCKET, {0: AF_NETLINK, 2: NETLINK_NETFILTER}, errno.EPROTONOSUPPORT),
    "nftables-by-policy": refuse(SOCKET, {0: AF_NETLINK, 2: NETLINK_NETFILTER}, errno.EPERM),
    "legacy": refuse(GETSOCKOPT, {1: SOL_IP, 2: GET_INFO}, errno.ENOPROTOOPT)
              + refuse(GETSOCKOPT, {1: SOL_IPV6, 2: GET_INFO}, errno.ENOPROTOOPT),
    "ipv6": refuse(SOCKET, {0: AF_INET6}, errno.EAFNOSUPPORT),
}


def main():
    code = [instruction for part in sys.argv[1].split(",") for instruction in PARTS[part]] + [(RET, 0, 0, RET_ALLOW)]
    filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in code))
    program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(filters))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program):
        raise OSError(ctypes.get_errno(), "seccomp")
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
