// @model: runs on the stored input and prints the result to Serial.
#include <Arduino.h>
#include <@lib.h>
#include <@lib_sample.h>

@outputs

// All numbers, or of many the largest ten.
static void show(const char *name, const float *values, int count)
{
  Serial.println(name);
  float below = INFINITY;
  int last = -1;
  for (int n = 0; n < count && n < 10; n++) {
    int best = n;
    if (count > 10) {
      best = -1;
      for (int i = 0; i < count; i++) {
        const bool left = values[i] < below || (values[i] == below && i > last);
        if (left && (best < 0 || values[i] > values[best]))
          best = i;
      }
      if (best < 0)
        return;
      below = values[best];
      last = best;
    }
    Serial.print("  ");
    Serial.print(best);
    Serial.print(": ");
    Serial.println(values[best], 6);
  }
}

#ifdef @LIB_TRACE
// Each layer's name and largest value; see the example Test for a comparison with the reference.
extern "C" void @lib_trace(const char *layer, int axes, const int *shape, const float *values)
{
  long count = 1;
  for (int i = 0; i < axes; i++)
    count *= shape[i];
  float largest = values[0];
  for (long i = 1; i < count; i++)
    largest = values[i] > largest ? values[i] : largest;
  Serial.print(layer);
  Serial.print(": largest ");
  Serial.println(largest, 6);
}
#endif

void setup()
{
  Serial.begin(115200);
}

void loop()
{
  const unsigned long start = micros();
  @lib_run(@arguments);
  const unsigned long took = micros() - start;
@real
  Serial.print(@LIB_SAMPLE_NAME);
  Serial.print(": ");
  Serial.print(took);
  Serial.println(" microseconds");
@shows
#ifdef @LIB_CLASSES
  int best = 0;
  for (int i = 1; i < @LIB_CLASSES; i++)
    best = @first[i] > @first[best] ? i : best;
#ifdef @LIB_CLASS_NAMES
  static const char *const names[@LIB_CLASSES] = @LIB_CLASS_NAMES;
  Serial.println(names[best]);
#else
  Serial.print("class ");
  Serial.println(best);
#endif
#endif
  delay(5000);
}
