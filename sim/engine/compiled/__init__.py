"""The compiled engine: the same answers as the reference's, from machine code that numba makes of plain loops."""
