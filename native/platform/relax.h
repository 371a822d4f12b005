// How ggml's threads wait for each other. Included before ggml-cpu.c, whose sources are not edited, in place of its own.
//
// They spin (not with OpenMP, but that has one pool for all states), which is right while all of them run: a graph has
// hundreds of barriers, microseconds apart. Where another process has the core of one of them, the others spin through
// their own time meanwhile, are preempted for it when it runs again, and a graph of milliseconds takes seconds. A thread
// that sleeps instead is put on a core as soon as it wakes. On Windows, where the shortest sleep is a millisecond or
// more, ggml's own function stays.
#pragma once

#ifndef _WIN32

#include <stdint.h>
#include <time.h>

static void earshot_relax(void) {
	/* Calls that are further apart belong to different waits: something else ran between them. */
	enum { kGapNs = 300, kSpinNs = 100 * 1000, kSleepNs = 10 * 1000 };
	static _Thread_local int64_t since_ns, latest_ns;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	if (now_ns - latest_ns > kGapNs) since_ns = now_ns;
	if (now_ns - since_ns > kSpinNs) {
		const struct timespec pause = {0, kSleepNs};
		nanosleep(&pause, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	} else {
#if defined(__x86_64__)
		__builtin_ia32_pause();
#elif defined(__aarch64__)
		__asm__ volatile("yield" ::: "memory");
#endif
	}
	latest_ns = now_ns;
}

/* Of `static inline void ggml_thread_cpu_relax(void)` makes an unused function, and of its calls ours. */
#define ggml_thread_cpu_relax(parameters) EARSHOT_RELAX_##parameters
#define EARSHOT_RELAX_void ggml_own_relax(void)
#define EARSHOT_RELAX_ earshot_relax()

#endif
