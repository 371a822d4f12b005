/* For prebuilt binaries, which link against an old glibc (scripts/build/sysroot.mjs): symbols of newer versions that
   the compiler's libstdc++.a needs, and the oldest versions of some functions. With them the binaries require glibc
   2.28, as Node itself does. Linked with --wrap for each function wrapped here. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

/* 0: other threads may exist, so reference counts are always atomic. */
char __libc_single_threaded = 0;

/* std::random_device. */
uint32_t arc4random(void) {
	uint32_t value;
	if (getrandom(&value, sizeof value, 0) != sizeof value) abort();
	return value;
}

/* glibc has it since 2.29. */
int getcpu(unsigned *cpu, unsigned *node) { return (int)syscall(SYS_getcpu, cpu, node, NULL); }

#ifdef __x86_64__
#define EARSHOT_OLDEST "GLIBC_2.2.5"
#else
#define EARSHOT_OLDEST "GLIBC_2.17"
#endif
#define EARSHOT_OLD(name) __asm__(".symver old_" #name "," #name "@" EARSHOT_OLDEST)

EARSHOT_OLD(exp);
EARSHOT_OLD(exp2);
EARSHOT_OLD(log);
EARSHOT_OLD(log2);
EARSHOT_OLD(pow);
double old_exp(double), old_exp2(double), old_log(double), old_log2(double), old_pow(double, double);
double __wrap_exp(double x) { return old_exp(x); }
double __wrap_exp2(double x) { return old_exp2(x); }
double __wrap_log(double x) { return old_log(x); }
double __wrap_log2(double x) { return old_log2(x); }
double __wrap_pow(double x, double y) { return old_pow(x, y); }
