    {
        int is = 0, should = 0;
        for (int i = 1; i < @LIB_CLASSES; i++) {
            is = @out[i] > @out[is] ? i : is;
            should = expected_@out[i] > expected_@out[should] ? i : should;
        }
        add_text("class ", 0);
        add_whole(is, 0);
        add_text(", reference ", 0);
        add_whole(should, 0);
        end_line();
    }
