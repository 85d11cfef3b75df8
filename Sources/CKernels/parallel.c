// A pool of threads for loops whose items are independent. It is not a task system: one loop runs at a time, a loop
// inside a loop runs on its own thread, and nothing is queued.
//
// Why not OpenMP or Dispatch: a training step starts a thousand short loops. Workers spin for some microseconds for
// the next loop, then sleep, so that an idle program and a busy machine cost nothing. A worker joins a loop only if
// it comes in time: a caller that has done all items itself does not wait for a worker that was not scheduled.
#include "CKernels.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

// The gate: number of the loop (from bit 17), whether it may be joined (bit 16), workers inside (bits 0 to 15).
enum { OPEN = 1 << 16, NUMBER = 17, SPINS = 4000 };

typedef struct {
  ck_pool *pool;
  pthread_t thread;
  int index;
} worker_t;

struct ck_pool {
  int threads;
  worker_t *workers;
  pthread_mutex_t caller, lock;
  pthread_cond_t wake, done;
  _Atomic uint64_t gate;
  _Atomic int next, sleepers, waiting;
  _Atomic bool ends;
  int count;
  void (*body)(void *, int, int);
  void *context;
};

static _Thread_local bool inside;

bool ck_pool_is_inside(void) { return inside; }

static inline void rest(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void work(ck_pool *pool, int worker) {
  inside = true;
  for (;;) {
    int item = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
    if (item >= pool->count) break;
    pool->body(pool->context, item, worker);
  }
  inside = false;
}

static bool joinable(uint64_t gate, uint64_t seen) { return (gate & OPEN) && (gate >> NUMBER) != seen; }

static void *live(void *argument) {
  worker_t *me = argument;
  ck_pool *pool = me->pool;
  uint64_t seen = 0;
  int spins = 0;
  while (!atomic_load(&pool->ends)) {
    uint64_t gate = atomic_load(&pool->gate);
    if (joinable(gate, seen)) {
      if (!atomic_compare_exchange_strong(&pool->gate, &gate, gate + 1)) continue;
      seen = gate >> NUMBER;
      work(pool, me->index);
      atomic_fetch_sub(&pool->gate, 1);
      if (atomic_load(&pool->waiting)) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_broadcast(&pool->done);
        pthread_mutex_unlock(&pool->lock);
      }
      spins = 0;
    } else if (spins < SPINS) {
      spins++;
      rest();
    } else {
      pthread_mutex_lock(&pool->lock);
      atomic_fetch_add(&pool->sleepers, 1);
      while (!joinable(atomic_load(&pool->gate), seen) && !atomic_load(&pool->ends))
        pthread_cond_wait(&pool->wake, &pool->lock);
      atomic_fetch_sub(&pool->sleepers, 1);
      pthread_mutex_unlock(&pool->lock);
      spins = 0;
    }
  }
  return NULL;
}

ck_pool *ck_pool_create(int threads) {
  ck_pool *pool = calloc(1, sizeof *pool);
  if (!pool) return NULL;
  pthread_mutex_init(&pool->caller, NULL);
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pthread_cond_init(&pool->done, NULL);
  pool->threads = 1;
  pool->workers = calloc(threads > 1 ? (size_t)threads - 1 : 1, sizeof *pool->workers);
  for (int i = 1; pool->workers && i < threads; i++) {
    worker_t *worker = &pool->workers[i - 1];
    worker->pool = pool;
    worker->index = i;
    if (pthread_create(&worker->thread, NULL, live, worker) != 0) break;
    pool->threads++;
  }
  return pool;
}

void ck_pool_destroy(ck_pool *pool) {
  if (!pool) return;
  pthread_mutex_lock(&pool->lock);
  atomic_store(&pool->ends, true);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->lock);
  for (int i = 1; i < pool->threads; i++) pthread_join(pool->workers[i - 1].thread, NULL);
  free(pool->workers);
  free(pool);
}

void ck_pool_run(ck_pool *pool, int count, void (*body)(void *, int, int), void *context) {
  if (!pool || inside || count < 2 || pool->threads < 2 || pthread_mutex_trylock(&pool->caller) != 0) {
    for (int item = 0; item < count; item++) body(context, item, 0);
    return;
  }
  pool->count = count;
  pool->body = body;
  pool->context = context;
  atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
  uint64_t number = (atomic_load(&pool->gate) >> NUMBER) + 1;
  atomic_store(&pool->gate, number << NUMBER | OPEN);
  if (atomic_load(&pool->sleepers)) {
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
  }
  work(pool, 0);
  atomic_fetch_and(&pool->gate, ~(uint64_t)OPEN);
  for (int spins = 0; (atomic_load(&pool->gate) & (OPEN - 1)) && spins < SPINS; spins++) rest();
  if (atomic_load(&pool->gate) & (OPEN - 1)) {
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->waiting, 1);
    while (atomic_load(&pool->gate) & (OPEN - 1)) pthread_cond_wait(&pool->done, &pool->lock);
    atomic_store(&pool->waiting, 0);
    pthread_mutex_unlock(&pool->lock);
  }
  pthread_mutex_unlock(&pool->caller);
}
