// Undoes sixteen.h.
#undef v16
#undef load16
#undef load16_part
#undef fma16
#undef sum16
