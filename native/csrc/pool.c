/* One pool of worker threads for all kernels. Tasks are claimed from a counter; the calling thread works too. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "kernels.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work_ready = PTHREAD_COND_INITIALIZER;
static pthread_cond_t work_done = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t run_lock = PTHREAD_MUTEX_INITIALIZER;
static int wanted_threads; /* 0: not decided */
static int started_workers;
static unsigned long generation;
static int running_workers;
static int admitted_workers;
static pool_task job_task;
static void *job_context;
static size_t job_count;
static size_t job_next;

static void work(pool_task task, void *context, size_t count) {
    for (;;) {
        size_t i = __atomic_fetch_add(&job_next, 1, __ATOMIC_RELAXED);
        if (i >= count) return;
        task(context, i);
    }
}

/* A virtual processor that is halted does not count as idle, so Linux wakes a worker on the processor of the thread that wakes
 * it, where it waits for the next tick. Workers are therefore kept off the caller's processor, whichever that is. */
static pthread_t workers[MAX_THREADS];
#ifdef __linux__
static int avoided = -1;
static int placed_workers;

static void place_workers(void) {
    int here = sched_getcpu();
    cpu_set_t allowed;
    if (here < 0 || here >= CPU_SETSIZE || (here == avoided && placed_workers == started_workers)) return;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) return;
    CPU_CLR(here, &allowed);
    for (int i = 0; i < started_workers; i++) (void)pthread_setaffinity_np(workers[i], sizeof allowed, &allowed);
    avoided = here;
    placed_workers = started_workers;
}
#else
static void place_workers(void) {}
#endif

static void *worker(void *unused) {
    (void)unused;
    unsigned long seen = 0;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (generation == seen || admitted_workers == 0) {
            if (generation != seen && admitted_workers == 0) seen = generation;
            pthread_cond_wait(&work_ready, &lock);
        }
        seen = generation;
        admitted_workers--;
        running_workers++;
        pool_task task = job_task;
        void *context = job_context;
        size_t count = job_count;
        pthread_mutex_unlock(&lock);
        work(task, context, count);
        pthread_mutex_lock(&lock);
        if (--running_workers == 0) pthread_cond_signal(&work_done);
    }
    return NULL;
}

/* A forked child has no workers and no held locks. */
static void after_fork(void) {
    pthread_mutex_init(&lock, NULL);
    pthread_mutex_init(&run_lock, NULL);
    pthread_cond_init(&work_ready, NULL);
    pthread_cond_init(&work_done, NULL);
    started_workers = running_workers = admitted_workers = 0;
#ifdef __linux__
    avoided = -1;
#endif
}

/* Processors that this process may run on, or that there are. */
static long processors(void) {
#ifdef __linux__
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
#endif
    return sysconf(_SC_NPROCESSORS_ONLN);
}

int pool_threads(void) {
    if (wanted_threads == 0) {
        long online = processors();
        wanted_threads = online < 1 ? 1 : online > MAX_THREADS ? MAX_THREADS : (int)online;
    }
    return wanted_threads;
}

void pool_set_threads(int count) { wanted_threads = count < 1 ? 1 : count > MAX_THREADS ? MAX_THREADS : count; }

void pool_run(pool_task task, void *context, size_t count) {
    static int registered;
    size_t helpers = (size_t)pool_threads() - 1;
    if (count <= helpers) helpers = count ? count - 1 : 0;
    if (helpers == 0 || pthread_mutex_trylock(&run_lock) != 0) {
        for (size_t i = 0; i < count; i++) task(context, i);
        return;
    }
    pthread_mutex_lock(&lock);
    if (!registered) registered = pthread_atfork(NULL, NULL, after_fork) == 0;
    while ((size_t)started_workers < helpers) {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        int failed = pthread_create(&workers[started_workers], &attributes, worker, NULL);
        pthread_attr_destroy(&attributes);
        if (failed) break;
        started_workers++;
    }
    place_workers();
    job_task = task;
    job_context = context;
    job_count = count;
    job_next = 0;
    admitted_workers = (int)helpers < started_workers ? (int)helpers : started_workers;
    generation++;
    pthread_cond_broadcast(&work_ready);
    pthread_mutex_unlock(&lock);
    work(task, context, count);
    pthread_mutex_lock(&lock);
    admitted_workers = 0; /* late workers find nothing to do */
    while (running_workers) pthread_cond_wait(&work_done, &lock);
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&run_lock);
}
