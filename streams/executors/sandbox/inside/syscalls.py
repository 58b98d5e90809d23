"""System call numbers by machine, from the kernel's headers (`unistd_64.h` and the generic `unistd.h`)."""

# Each entry: name, number on x86_64, number on aarch64; "-" where the machine has no such call.
_TABLE = """
# files
read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69,
pwritev 296 70, preadv2 327 286, pwritev2 328 287, open 2 -, openat 257 56, creat 85 -, close 3 57,
close_range 436 436, lseek 8 62, fstat 5 80, stat 4 -, lstat 6 -, newfstatat 262 79, statx 332 291,
access 21 -, faccessat 269 48, faccessat2 439 439, getdents 78 -, getdents64 217 61, getcwd 79 17,
chdir 80 49, fchdir 81 50, rename 82 -, renameat 264 38, renameat2 316 276, mkdir 83 -, mkdirat 258 34,
rmdir 84 -, unlink 87 -, unlinkat 263 35, link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36,
readlink 89 -, readlinkat 267 78, chmod 90 -, fchmod 91 52, fchmodat 268 53, umask 95 166,
utimensat 280 88, utime 132 -, utimes 235 -, futimesat 261 -, truncate 76 45, ftruncate 77 46,
flock 73 32, fsync 74 82, fdatasync 75 83, fadvise64 221 223, fallocate 285 47, copy_file_range 326 285,
sendfile 40 71, statfs 137 43, fstatfs 138 44, dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -,
pipe2 293 59,
# memory
mmap 9 222, mprotect 10 226, munmap 11 215, mremap 25 216, brk 12 214, madvise 28 233, msync 26 227,
mincore 27 232, membarrier 324 283,
# signals
rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigpending 127 136,
rt_sigtimedwait 128 137, rt_sigsuspend 130 133, sigaltstack 131 132, restart_syscall 219 128,
alarm 37 -, getitimer 36 102, setitimer 38 103, wait4 61 260, waitid 247 95,
# time
nanosleep 35 101, clock_nanosleep 230 115, clock_gettime 228 113, clock_getres 229 114,
gettimeofday 96 169, time 201 -, times 100 153,
# self
getpid 39 172, getppid 110 173, gettid 186 178, getpgrp 111 -, getpgid 121 155, getsid 124 156,
getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177, getresuid 118 148, getresgid 120 150,
getgroups 115 158, getrlimit 97 163, setrlimit 160 164, getrusage 98 165, sched_yield 24 124,
sched_getaffinity 204 123, sched_getparam 143 121, sched_getscheduler 145 120, getcpu 309 168,
uname 63 160, sysinfo 99 179, getrandom 318 278, arch_prctl 158 -, exit 60 93, exit_group 231 94,
# threads
futex 202 98, set_robust_list 273 99, get_robust_list 274 100, set_tid_address 218 96, rseq 334 293,
# polling
select 23 -, pselect6 270 72, poll 7 -, ppoll 271 73, epoll_create 213 -, epoll_create1 291 20,
epoll_ctl 233 21, epoll_wait 232 -, epoll_pwait 281 22, eventfd 284 -, eventfd2 290 19, sendto 44 206,
recvfrom 45 207, shutdown 48 210, getsockopt 55 209, getsockname 51 204, getpeername 52 205,
# conditional
clone 56 220, clone3 435 435, socketpair 53 199, ioctl 16 29, fcntl 72 25, prlimit64 302 261,
kill 62 129, tgkill 234 131,
# network
socket 41 198, connect 42 203, setsockopt 54 208, sendmsg 46 211, recvmsg 47 212,
"""

_CONDITIONAL = "# conditional"


def _parse(table: str) -> dict[str, tuple[int | None, int | None]]:
    lines = " ".join(line for line in table.splitlines() if not line.startswith("#"))
    entries = (entry.split() for entry in lines.split(",") if entry.strip())
    return {name: (_number(x86_64), _number(aarch64)) for name, x86_64, aarch64 in entries}


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)


NUMBERS = _parse(_TABLE)

ALLOWED = tuple(_parse(_TABLE.partition(_CONDITIONAL)[0]))
"""Without a look at the arguments; the rest of the table is allowed for some arguments only."""
