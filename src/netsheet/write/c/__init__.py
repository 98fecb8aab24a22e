"""C99 for microcontrollers and hosts."""
