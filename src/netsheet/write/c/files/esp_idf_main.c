/* @model: runs on the stored input, prints the result and the test's verdict. */
#include <stdio.h>

#include "@lib.h"
#include "@lib_sample.h"

@outputs

int @lib_test(void);
void @lib_say(const char *line);
void app_main(void);

void @lib_say(const char *line)
{
    puts(line);
}

static void show(const char *name, const float *values, int count)
{
    printf("%s\n", name);
    for (int i = 0; i < count && i < 20; i++)
        printf("  %d: %.6f\n", i, (double)values[i]);
}

void app_main(void)
{
#ifndef @LIB_TRACE
    @lib_run(@arguments);
@real@shows
#else
    (void)show, (void)@first;
#endif
    @lib_test();
}
