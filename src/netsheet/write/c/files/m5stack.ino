// @model: shows the stored input, the class and the numbers on an M5Stack.
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
  const float part = ((float)@lib_sample_input[at] - @LIB_SAMPLE_LOW)
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
@real  const unsigned long took = micros() - start;

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
#ifdef @LIB_CLASS_NAMES
  static const char *const names[@LIB_CLASSES] = @LIB_CLASS_NAMES;
  M5.Display.printf("%s", names[best]);
#else
  M5.Display.printf("class %d", best);
#endif
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
