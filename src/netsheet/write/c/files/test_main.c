int @lib_test(void)
{
    int wrong = 0;
    add_text("layer", 41);
    add_text("values", 10);
    add_text("deviation", 13);
    add_text("verdict", 0);
    end_line();
#ifdef @LIB_TRACE
    departed = 0;
    first = -1;
    for (int n = 0; n < (int)(sizeof layers / sizeof *layers); n++)
        layers[n].seen = 0;
#endif
@reset    if (@lib_run(@arguments) != 0)
        return 1;
#ifdef @LIB_TRACE
    wrong = departed;
    for (int n = 0; n < (int)(sizeof layers / sizeof *layers); n++)
        if (!layers[n].seen) {
            add_text("never computed: ", 0);
            add_text(layers[n].layer, 0);
            end_line();
            wrong++;
        }
    add_text("outputs:", 0);
    end_line();
#endif
@checks
#ifdef @LIB_TRACE
    if (first >= 0) {
        add_text("the first departure is at ", 0);
        add_text(layers[first].layer, 0);
        end_line();
    }
#endif
    add_text(wrong ? "DEPARTS from the reference" : "all agrees with the reference", 0);
    end_line();
    return wrong != 0;
}
