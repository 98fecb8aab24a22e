static char line[96];
static unsigned filled;

/* Adds a text to the line, and blanks up to a width. */
static void add_text(const char *what, unsigned width)
{
    const unsigned end = filled + width;
    while (*what != '\0' && filled < 94)
        line[filled++] = *what++;
    while (filled < end && filled < 94)
        line[filled++] = ' ';
    line[filled] = '\0';
}

static void end_line(void)
{
    line[filled] = '\0';
    @LIB_SAY(line);
    filled = 0;
}

/* A layer's name in 40 columns, cut between letters of UTF-8. */
static void add_name(const char *name)
{
    add_text(name, 40);
    if (filled > 40)
        for (filled = 40; filled > 0 && ((unsigned char)line[filled] & 0xC0) == 0x80; filled--)
            ;
    add_text(" ", 1);
}

static void add_whole(int value, unsigned width)
{
    char digits[12];
    int at = 11;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    add_text(digits + at, width);
}

/* A number that is not negative, as 1.2e-07: printf may lack floats on a small machine. */
static void add_number(float value, unsigned width)
{
    char digits[9] = "0.0e+00";
    int power = 0, tenths;
    if (!(value <= 3.4e38f)) {
        add_text("not a number", width);
        return;
    }
    if (value > 0.0f) {
        while (value >= 9.95f) {
            value /= 10.0f;
            power++;
        }
        while (value < 0.995f && power > -38) {
            value *= 10.0f;
            power--;
        }
        tenths = (int)(value * 10.0f + 0.5f);
        digits[0] = (char)('0' + tenths / 10 % 10);
        digits[2] = (char)('0' + tenths % 10);
        digits[4] = power < 0 ? '-' : '+';
        power = power < 0 ? -power : power;
        digits[5] = (char)('0' + power / 10);
        digits[6] = (char)('0' + power % 10);
    }
    add_text(digits, width);
}

/* Shows how far every step-th value is from the reference; 1 if that is within the bound. */
static int compared(const char *name, const float *values, int size, int step,
    const @LIB_FLASH float *reference)
{
    float worst = 0.0f, largest = 1.0f;
    int good;
    for (int i = 0; i < size; i += step) {
        const float is = values[i], should = *reference++;
        if (!(is == should || (isnan(is) && isnan(should)))) {
            const float off = fabsf(is - should);
            worst = off > worst || isnan(off) ? (isnan(off) ? NETSHEET_INFINITE : off) : worst;
            if (!isinf(should) && fabsf(should) > largest)
                largest = fabsf(should);
        } else if (!isinf(is) && fabsf(is) > largest)
            largest = fabsf(is);
    }
    good = worst <= @bound * largest;
    add_name(name);
    add_whole(size, 10);
    add_number(worst, 13);
    add_text(good ? "ok" : "DEPARTS", 0);
    end_line();
    return good;
}
