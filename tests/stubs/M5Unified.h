// As much of M5Unified as the example sketch uses; the screen prints what is drawn on it.
#pragma once
#include <Arduino.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const int TFT_BLACK = 0, TFT_WHITE = 0xFFFF, TFT_YELLOW = 0xFFE0, TFT_RED = 0xF800;
static const int TFT_DARKGREY = 0x7BEF;

struct Font {
  const char *name;
};
namespace fonts {
[[maybe_unused]] static const Font Font0 = {"Font0"}, FreeSansBold18pt7b = {"FreeSansBold18pt7b"},
                                   efontJA_24_b = {"efontJA_24_b"};
}

struct Screen {
  int width() { return 320; }
  int height() { return 240; }
  void fillScreen(int) {}
  void setTextSize(float) {}
  void setFont(const Font *font) { ::printf("font %s\n", font->name); }
  int textWidth(const char *text) { return 14 * (int)strlen(text); }
  int fontHeight() { return 24; }
  void setTextColor(int, int) {}
  void setCursor(int, int) {}
  uint16_t color565(uint8_t r, uint8_t g, uint8_t b)
  {
    return (uint16_t)((r & 0xF8) << 8 | (g & 0xFC) << 3 | b >> 3);
  }
  void fillRect(int x, int y, int w, int h, uint32_t color)
  {
    if (w < 0 || h < 0 || x < 0 || y < 0 || x + w > width() || y + h > height())
      printf("outside the screen: %d %d %d %d\n", x, y, w, h);
    ::printf("rect %d %d %d %d %u\n", x, y, w, h, (unsigned)color);
  }
  __attribute__((format(printf, 2, 3))) void printf(const char *format, ...)
  {
    va_list arguments;
    va_start(arguments, format);
    ::printf("text ");
    vprintf(format, arguments);
    ::printf("\n");
    va_end(arguments);
  }
};

struct Button {
  bool wasPressed() { return !getenv("TOUCHES"); }
};

// A finger: at each update the next place of the file that TOUCHES names, then it is lifted.
struct Finger {
  int x, y;
  bool now, before;
  bool isPressed() const { return now; }
  bool wasPressed() const { return now && !before; }
  bool wasReleased() const { return !now && before; }
};
struct TouchScreen {
  Finger finger;
  FILE *file;
  void update()
  {
    if (!file && getenv("TOUCHES"))
      file = fopen(getenv("TOUCHES"), "r");
    finger.before = finger.now;
    finger.now = file && fscanf(file, "%d %d", &finger.x, &finger.y) == 2;
  }
  Finger getDetail() { return finger; }
};

struct Machine {
  struct Config {};
  Config config() { return Config(); }
  void begin(Config) {}
  void update() { Touch.update(); }
  Screen Display;
  Button BtnA;
  TouchScreen Touch;
};
static Machine M5;
