// @model: shows the input, the class and the numbers on an M5Stack.
// Needs the library M5Unified. Draw into the picture on a screen that is touched, lift the finger,
// and the network answers; button A takes the stored picture again.
#include <M5Unified.h>
#include <type_traits>
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
// The picture that is shown and computed: the stored one, or what a finger draws.
typedef std::remove_const<std::remove_reference<decltype(@lib_sample_input[0])>::type>::type Pixel;
static Pixel picture[@input_size];
static const float LOW = @LIB_SAMPLE_LOW, HIGH = @LIB_SAMPLE_HIGH;
static const int MOST =
    @LIB_SAMPLE_WIDTH > @LIB_SAMPLE_HEIGHT ? @LIB_SAMPLE_WIDTH : @LIB_SAMPLE_HEIGHT;
static const int EDGE = 4; // of the screen

static int pictureSide()
{
  const int width = M5.Display.width() / 2, height = M5.Display.height() - 48;
  return (width < height ? width : height) - 2 * EDGE;
}

static int place(int y, int x, int channel)
{
  return y * @LIB_SAMPLE_DOWN + x * @LIB_SAMPLE_RIGHT
      + (@LIB_SAMPLE_CHANNELS == 3 ? channel : 0) * @LIB_SAMPLE_DEEP;
}

static uint8_t level(int y, int x, int channel)
{
  const float part = ((float)picture[place(y, x, channel)] - LOW) / (HIGH - LOW);
  return (uint8_t)(part < 0.0f ? 0.0f : part > 1.0f ? 255.0f : part * 255.0f);
}

// Some rows and columns of the picture, as large as the whole fits into a square.
static void drawPicture(int top, int bottom, int left, int right)
{
  const int side = pictureSide();
  for (int y = top < 0 ? 0 : top; y < bottom && y < @LIB_SAMPLE_HEIGHT; y++)
    for (int x = left < 0 ? 0 : left; x < right && x < @LIB_SAMPLE_WIDTH; x++) {
      const int x0 = x * side / MOST, x1 = (x + 1) * side / MOST;
      const int y0 = y * side / MOST, y1 = (y + 1) * side / MOST;
      M5.Display.fillRect(EDGE + x0, EDGE + y0, x1 - x0, y1 - y0,
          M5.Display.color565(level(y, x, 0), level(y, x, 1), level(y, x, 2)));
    }
}

static void takeStored()
{
  for (int i = 0; i < @input_size; i++)
    picture[i] = @lib_sample_input[i];
}

// What the stored picture has in its corner is its ground; ink is the other end.
static bool darkGround()
{
  return (float)@lib_sample_input[0] - LOW < HIGH - (float)@lib_sample_input[0];
}

static void clearPicture()
{
  for (int i = 0; i < @input_size; i++)
    picture[i] = (Pixel)(darkGround() ? LOW : HIGH);
}

// A round pen, soft at its edge, a fifteenth of the picture wide; ink only grows stronger.
static void drawInk(float y, float x)
{
  const float radius = (float)MOST / 22.0f;
  const int reach = (int)radius + 2, row = (int)y, column = (int)x;
  for (int v = row - reach; v <= row + reach; v++)
    for (int u = column - reach; u <= column + reach; u++) {
      if (v < 0 || u < 0 || v >= @LIB_SAMPLE_HEIGHT || u >= @LIB_SAMPLE_WIDTH)
        continue;
      const float dy = (float)v + 0.5f - y, dx = (float)u + 0.5f - x;
      float part = radius + 0.5f - sqrtf(dy * dy + dx * dx);
      part = part < 0.0f ? 0.0f : part > 1.0f ? 1.0f : part;
      const float ink = darkGround() ? LOW + part * (HIGH - LOW) : HIGH - part * (HIGH - LOW);
      for (int channel = 0; channel < @LIB_SAMPLE_CHANNELS; channel++) {
        Pixel *const at = picture + place(v, u, channel);
        if (darkGround() ? ink > (float)*at : ink < (float)*at)
          *at = (Pixel)ink;
      }
    }
  drawPicture(row - reach, row + reach + 1, column - reach, column + reach + 1);
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

#ifdef @LIB_CLASSES
// The name of the class, as large as fits between the picture and the lower edge.
static void drawClass(const char *name, int top, int width)
{
  M5.Display.setFont(&fonts::@font);
  M5.Display.setTextSize(1.0f);
  const float wide = (float)(width - 2 * 4) / (float)(M5.Display.textWidth(name) + 1);
  const float high = 34.0f / (float)(M5.Display.fontHeight() + 1);
  M5.Display.setTextSize(wide < high ? wide : high);
  M5.Display.setCursor(4, top);
  M5.Display.printf("%s", name);
  M5.Display.setFont(&fonts::Font0);
  M5.Display.setTextSize(1.0f);
}
#endif

static void run()
{
  const unsigned long start = micros();
#ifdef @LIB_SAMPLE_WIDTH
  @lib_run(picture, @results);
#else
  @lib_run(@arguments);
#endif
@real  const unsigned long took = micros() - start;

  const int width = M5.Display.width(), height = M5.Display.height();
  int left = 4;
  M5.Display.fillScreen(TFT_BLACK);
  M5.Display.setTextSize(1);
#ifdef @LIB_SAMPLE_WIDTH
  drawPicture(0, @LIB_SAMPLE_HEIGHT, 0, @LIB_SAMPLE_WIDTH);
  left = pictureSide() + 3 * EDGE;
#endif
  drawNumbers(@first, @size, left, 4, width - left - 4, height - 48);
  M5.Display.setTextColor(TFT_WHITE, TFT_BLACK);
#ifdef @LIB_CLASSES
  int best = 0;
  for (int i = 1; i < @LIB_CLASSES; i++)
    best = @first[i] > @first[best] ? i : best;
#ifdef @LIB_CLASS_NAMES
  static const char *const names[@LIB_CLASSES] = @LIB_CLASS_NAMES;
  drawClass(names[best], height - 46, width);
#else
  char name[24];
  snprintf(name, sizeof name, "class %d", best);
  drawClass(name, height - 46, width);
#endif
#endif
  M5.Display.setCursor(4, height - 12);
  M5.Display.printf("%lu us", took);
}

void setup()
{
  auto config = M5.config();
  M5.begin(config);
#ifdef @LIB_SAMPLE_WIDTH
  takeStored();
#endif
  run();
}

void loop()
{
  M5.update();
#ifdef @LIB_SAMPLE_WIDTH
  const auto touch = M5.Touch.getDetail();
  const int y = touch.y - EDGE, x = touch.x - EDGE, side = pictureSide();
  const bool inside = y >= 0 && x >= 0 && y < side && x < side;
  static bool drawing;
  if (touch.wasPressed() && inside) {
    drawing = true;
    clearPicture();
    drawPicture(0, @LIB_SAMPLE_HEIGHT, 0, @LIB_SAMPLE_WIDTH);
  }
  if (touch.isPressed() && drawing && inside)
    drawInk((float)(y * MOST) / (float)side, (float)(x * MOST) / (float)side);
  if (drawing && touch.wasReleased()) {
    drawing = false;
    run();
  }
#endif
  if (M5.BtnA.wasPressed()) {
#ifdef @LIB_SAMPLE_WIDTH
    takeStored();
#endif
    run();
  }
  delay(5);
}
