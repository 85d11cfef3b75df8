// Undoes vector.h, and each_level.h's LANES and AT, for the next instruction set.
#undef vf
#undef vi
#undef INLINE
#undef load
#undef store
#undef load_part
#undef store_part
#undef splat
#undef choose
#undef below
#undef sum_lanes
#undef max_lanes
#undef exponential
#undef LANES
#undef AT
