// As much of Arduino as the example sketches use; a main() that runs a sketch once,
// or as long as a finger draws.
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct SerialPort {
  void begin(unsigned long) {}
  void print(const char *text) { fputs(text, stdout); }
  void print(int value) { printf("%d", value); }
  void print(unsigned long value) { printf("%lu", value); }
  void println(const char *text) { puts(text); }
  void println(int value) { printf("%d\n", value); }
  void println(double value, int digits) { printf("%.*f\n", digits, value); }
};
[[maybe_unused]] static SerialPort Serial;

static inline unsigned long micros() { static unsigned long now; return now += 7; }
static inline void delay(unsigned long) {}

void setup();
void loop();
#ifdef SKETCH_MAIN
#undef SKETCH_MAIN
int main()
{
  setup();
  for (int turn = 0; turn < (getenv("TOUCHES") ? 2000 : 1); turn++)
    loop();
  return 0;
}
#endif
