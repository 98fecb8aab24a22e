"""Example programs for boards: classify, test, and a screen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netsheet.data.inputs import Sample
from netsheet.equations import Tensor
from netsheet.write.c.library import Library, numbers, size_macro
from netsheet.write.c.names import base, comment, number, string
from netsheet.write.c.template import fill

PICTURE_CHANNELS = (1, 3)


def sample_header(lib: Library, sample: Sample) -> str:
    """``net_sample.h``: the stored input, and where its pixels lie if it is a picture."""
    guard = f"{lib.upper}_SAMPLE_H"
    parts = [
        f"/* The stored input: {comment(sample.note or base(sample.name))} */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        f'#include "{lib.name}.h"',
        "#include <math.h>",
        "",
        f"#define {lib.upper}_SAMPLE_NAME {string(base(sample.name))}",
        "",
    ]
    picture = _picture(lib.model.inputs) if lib.model.inputs else None
    if picture is not None:
        values = sample.arrays[0][np.isfinite(sample.arrays[0])]
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        parts.append("/* A picture: sizes, distances between pixels, darkest, lightest. */")
        parts += [f"#define {lib.upper}_SAMPLE_{name} {size}" for name, size in picture.items()]
        parts.append(f"#define {lib.upper}_SAMPLE_LOW {number(low)}")
        parts.append(f"#define {lib.upper}_SAMPLE_HIGH {number(max(high, low + 1e-6))}")
        parts.append("")
    for name, array in zip(lib.inputs, sample.arrays, strict=True):
        size = size_macro(lib, name)
        parts.append(
            f"static const float {lib.name}_sample_{name}[{size}] = {{\n{numbers(array)}\n}};\n"
        )
    parts += [f"#endif /* {guard} */", ""]
    return "\n".join(parts)


def _picture(inputs: list[Tensor]) -> Mapping[str, int] | None:
    """Sizes and strides of an only input that can be looked at."""
    if len(inputs) != 1:
        return None
    axes, shape = inputs[0].axes, inputs[0].shape
    if len(shape) == 2:
        axes = ("height", "width")
    at = {axis: number for number, axis in enumerate(axes)}
    if not {"height", "width"} <= set(axes) or len(axes) > 3:
        return None
    if len(axes) == 3 and "channel" not in at:
        return None
    strides = [int(np.prod(shape[n + 1 :])) for n in range(len(shape))]
    channels = shape[at["channel"]] if "channel" in at else 1
    if channels not in PICTURE_CHANNELS:
        return None
    return {
        "HEIGHT": shape[at["height"]],
        "WIDTH": shape[at["width"]],
        "CHANNELS": channels,
        "DOWN": strides[at["height"]],
        "RIGHT": strides[at["width"]],
        "DEEP": strides[at["channel"]] if "channel" in at else 0,
    }


def filled(text: str, lib: Library, sample: Sample) -> str:
    """A template with the library's names in it."""
    arguments = [f"{lib.name}_sample_{name}" for name in lib.inputs] + lib.outputs
    outputs = [f"static float {name}[{size_macro(lib, name)}];" for name in lib.outputs]
    shows = [
        f"  show({string(tensor.name)}, {name}, {size_macro(lib, name)});"
        for name, tensor in zip(lib.outputs, lib.model.outputs, strict=True)
    ]
    marks = {
        "arguments": ", ".join(arguments),
        "outputs": "\n".join(outputs),
        "shows": "\n".join(shows),
        "first": lib.outputs[0],
        "size": size_macro(lib, lib.outputs[0]),
        "model": comment(lib.model.name),
        "sample": comment(base(sample.name)),
    }
    return fill(text, lib.name, marks)


CLASSIFY = """// @model: runs on the stored input and prints the result to Serial.
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

  Serial.print(@LIB_SAMPLE_NAME);
  Serial.print(": ");
  Serial.print(took);
  Serial.println(" microseconds");
@shows
#ifdef @LIB_CLASSES
  int best = 0;
  for (int i = 1; i < @LIB_CLASSES; i++)
    best = @first[i] > @first[best] ? i : best;
  Serial.print("class ");
  Serial.println(best);
#endif
  delay(5000);
}
"""

TEST = """// @model: compares with the stored reference, and prints to Serial.
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
"""

M5STACK = """// @model: shows the stored input, the class and the numbers on an M5Stack.
// Needs the library M5Unified. Button A runs it again.
#include <M5Unified.h>
#include <@lib.h>
#include <@lib_sample.h>

static const int BARS = 10;

@outputs

#ifdef @LIB_TRACE
extern "C" void @lib_trace(const char *layer, int axes, const int *shape, const float *values)
{
  (void)layer, (void)axes, (void)shape, (void)values;
}
#endif

#ifdef @LIB_SAMPLE_WIDTH
static uint8_t level(int y, int x, int channel)
{
  const int at = y * @LIB_SAMPLE_DOWN + x * @LIB_SAMPLE_RIGHT
      + (@LIB_SAMPLE_CHANNELS == 3 ? channel : 0) * @LIB_SAMPLE_DEEP;
  const float part = (@lib_sample_input[at] - @LIB_SAMPLE_LOW)
      / (@LIB_SAMPLE_HIGH - @LIB_SAMPLE_LOW);
  return (uint8_t)(part < 0.0f ? 0.0f : part > 1.0f ? 255.0f : part * 255.0f);
}

// The picture, as large as fits into a square.
static void drawPicture(int left, int top, int side)
{
  const int most = @LIB_SAMPLE_WIDTH > @LIB_SAMPLE_HEIGHT ? @LIB_SAMPLE_WIDTH : @LIB_SAMPLE_HEIGHT;
  for (int y = 0; y < @LIB_SAMPLE_HEIGHT; y++)
    for (int x = 0; x < @LIB_SAMPLE_WIDTH; x++) {
      const int x0 = x * side / most, x1 = (x + 1) * side / most;
      const int y0 = y * side / most, y1 = (y + 1) * side / most;
      M5.Display.fillRect(left + x0, top + y0, x1 - x0, y1 - y0,
          M5.Display.color565(level(y, x, 0), level(y, x, 1), level(y, x, 2)));
    }
}
#endif

// The numbers with bars: all in order, or of many the largest.
static void drawNumbers(const float *values, int count, int left, int top, int width, int height)
{
  const int rows = count < BARS ? count : BARS, row = height / rows;
  int order[BARS];
  int best = 0;
  float largest = 1e-6f;
  for (int i = 0; i < count; i++) {
    best = values[i] > values[best] ? i : best;
    largest = fabsf(values[i]) > largest ? fabsf(values[i]) : largest;
  }
  for (int n = 0; n < rows; n++)
    order[n] = n;
  if (count > BARS) {
    int kept = 0;
    for (int i = 0; i < count; i++) {
      int at = kept;
      while (at > 0 && values[order[at - 1]] < values[i]) {
        if (at < BARS)
          order[at] = order[at - 1];
        at--;
      }
      if (at < BARS)
        order[at] = i;
      kept = kept < BARS ? kept + 1 : BARS;
    }
  }
  for (int n = 0; n < rows; n++) {
    const float value = values[order[n]];
    const int bar = (int)(fabsf(value) / largest * (float)(width - 70));
    const int y = top + n * row;
    const bool chosen = order[n] == best;
    M5.Display.setTextColor(chosen ? TFT_YELLOW : TFT_WHITE, TFT_BLACK);
    M5.Display.setCursor(left, y);
    M5.Display.printf("%3d %5.3f", order[n], (double)value);
    M5.Display.fillRect(left + 66, y, bar, row > 4 ? row - 4 : 1,
        chosen ? TFT_YELLOW : value < 0.0f ? TFT_RED : TFT_DARKGREY);
  }
}

static void run()
{
  const unsigned long start = micros();
  @lib_run(@arguments);
  const unsigned long took = micros() - start;

  const int width = M5.Display.width(), height = M5.Display.height();
  int left = 4;
  M5.Display.fillScreen(TFT_BLACK);
  M5.Display.setTextSize(1);
#ifdef @LIB_SAMPLE_WIDTH
  const int side = (width / 2 < height - 48 ? width / 2 : height - 48) - 8;
  drawPicture(4, 4, side);
  left = side + 12;
#endif
  drawNumbers(@first, @size, left, 4, width - left - 4, height - 48);
  M5.Display.setTextColor(TFT_WHITE, TFT_BLACK);
#ifdef @LIB_CLASSES
  int best = 0;
  for (int i = 1; i < @LIB_CLASSES; i++)
    best = @first[i] > @first[best] ? i : best;
  M5.Display.setTextSize(3);
  M5.Display.setCursor(4, height - 40);
  M5.Display.printf("class %d", best);
  M5.Display.setTextSize(1);
#endif
  M5.Display.setCursor(4, height - 12);
  M5.Display.printf("%lu us", took);
}

void setup()
{
  auto config = M5.config();
  M5.begin(config);
  run();
}

void loop()
{
  M5.update();
  if (M5.BtnA.wasPressed())
    run();
  delay(10);
}
"""

IDF_MAIN = """/* @model: runs on the stored input, prints the result and the test's verdict. */
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
    printf("%s\\n", name);
    for (int i = 0; i < count && i < 20; i++)
        printf("  %d: %.6f\\n", i, (double)values[i]);
}

void app_main(void)
{
#ifndef @LIB_TRACE
    @lib_run(@arguments);
@shows
#else
    (void)show, (void)@first;
#endif
    @lib_test();
}
"""
