#include <stdio.h>

static int fetch(void *to, unsigned size)
{
    return fread(to, size, 1, stdin) == 1;
}

static void put(const void *from, unsigned size)
{
    fwrite(from, 1, size, stdout);
}
