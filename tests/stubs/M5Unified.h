// As much of M5Unified as the example sketch uses; the screen prints what is drawn on it.
#pragma once
#include <Arduino.h>
#include <stdarg.h>

static const int TFT_BLACK = 0, TFT_WHITE = 0xFFFF, TFT_YELLOW = 0xFFE0, TFT_RED = 0xF800;
static const int TFT_DARKGREY = 0x7BEF;

struct Screen {
  int width() { return 320; }
  int height() { return 240; }
  void fillScreen(int) {}
  void setTextSize(float) {}
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
  bool wasPressed() { return true; }
};

struct Machine {
  struct Config {};
  Config config() { return Config(); }
  void begin(Config) {}
  void update() {}
  Screen Display;
  Button BtnA;
};
static Machine M5;
