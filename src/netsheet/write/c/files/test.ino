// @model: compares with the stored reference, and prints to Serial.
//
// As it is: the output. With "#define @LIB_TRACE" in @lib.h: every layer, and the first departure.
#include <Arduino.h>
#include <@lib.h>

extern "C" int @lib_test(void);

extern "C" void @lib_say(const char *line)
{
  Serial.println(line);
}

void setup()
{
  Serial.begin(115200);
}

void loop()
{
  @lib_test();
  delay(10000);
}
