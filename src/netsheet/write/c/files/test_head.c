/* @model: runs on @sample and compares with the reference.
 *
 * Here:          cc -o @lib_test @lib_test.c @lib.c@more @lib_weights.c -lm && ./@lib_test
 * Every layer:   the same with -D@LIB_TRACE: tells at which layer a machine departs.
 * On a board:    define @LIB_SAY as the name of a function that shows a line, and call @lib_test().
 */
#include "@lib.h"
#include <math.h>
#include <string.h>

#if defined ARDUINO && !defined @LIB_SAY
#define @LIB_SAY @lib_say
#endif

#ifdef @LIB_SAY
void @LIB_SAY(const char *line);
#else
#include <stdio.h>
static void @lib_say(const char *line)
{
    puts(line);
}
#define @LIB_SAY @lib_say
#define @LIB_HAS_MAIN
#endif

/* 0 if all is as it should be. */
int @lib_test(void);
