#include <zlib.h>

// A macro that Swift cannot read: 32 lets zlib find out whether the stream is gzip.
static inline int looped_inflate_begin(z_stream *stream) { return inflateInit2(stream, 15 + 32); }
