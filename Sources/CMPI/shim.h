// What Collectives asks of MPI, as functions: MPI's constants are macros that Swift does not see. Every function returns
// MPI's error code, 0 for success.
#ifndef LOOPED_MPI_SHIM_H
#define LOOPED_MPI_SHIM_H

#include <mpi.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

// Waits for requests as MPI_Waitall does, but leaves the processor to the threads that compute: it yields between
// tests, and once two milliseconds have brought nothing, sleeps.
static inline int looped_mpi_wait(int count, MPI_Request *requests) {
  struct timespec begin, now;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (;;) {
    int done = 0;
    const int code = MPI_Testall(count, requests, &done, MPI_STATUSES_IGNORE);
    if (code || done) return code;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const long waited = (now.tv_sec - begin.tv_sec) * 1000000000L + (now.tv_nsec - begin.tv_nsec);
    if (waited < 2000000L) {
      sched_yield();
    } else {
      const struct timespec pause = {0, waited < 100000000L ? 50000L : 2000000L};
      nanosleep(&pause, NULL);
    }
  }
}

// The threads of a process take turns, so that nothing more than that is asked for.
static inline int looped_mpi_begin(int *rank, int *size) {
  int level = 0, code = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level);
  if (!code && level < MPI_THREAD_SERIALIZED) code = MPI_ERR_OTHER;
  // Errors are ours to report.
  if (!code) code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  if (!code) code = MPI_Comm_rank(MPI_COMM_WORLD, rank);
  if (!code) code = MPI_Comm_size(MPI_COMM_WORLD, size);
  return code;
}

static inline int looped_mpi_exchange(const float *sent, int sent_count, int to, float *received, int received_count,
                                      int from) {
  MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
  int code = MPI_Irecv(received, received_count, MPI_FLOAT, from, 1, MPI_COMM_WORLD, &requests[0]);
  if (!code) code = MPI_Isend(sent, sent_count, MPI_FLOAT, to, 1, MPI_COMM_WORLD, &requests[1]);
  return code ? code : looped_mpi_wait(2, requests);
}

static inline int looped_mpi_sum(double *values, int count) {
  MPI_Request request = MPI_REQUEST_NULL;
  const int code = MPI_Iallreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD, &request);
  return code ? code : looped_mpi_wait(1, &request);
}

static inline int looped_mpi_broadcast(void *bytes, int count, int root) {
  MPI_Request request = MPI_REQUEST_NULL;
  const int code = MPI_Ibcast(bytes, count, MPI_BYTE, root, MPI_COMM_WORLD, &request);
  return code ? code : looped_mpi_wait(1, &request);
}

static inline int looped_mpi_barrier(void) {
  MPI_Request request = MPI_REQUEST_NULL;
  const int code = MPI_Ibarrier(MPI_COMM_WORLD, &request);
  return code ? code : looped_mpi_wait(1, &request);
}

static inline void looped_mpi_message(int code, char *text, int room) {
  char message[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, message, &length);
  snprintf(text, (size_t)room, "%s", message);
}

static inline void looped_mpi_abort(void) { MPI_Abort(MPI_COMM_WORLD, 1); }

static inline void looped_mpi_end(void) {
  int ended = 0;
  if (!MPI_Finalized(&ended) && !ended) MPI_Finalize();
}

#endif
