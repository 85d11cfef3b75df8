// Undoes sixteen.h.
#undef v16
#undef load16
#undef load16_part
#undef store16
#undef fma16
#undef sum16
