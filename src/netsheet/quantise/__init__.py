"""Equations of real numbers, rewritten into equations of whole ones.

A tensor of whole numbers says which real numbers they stand for (:class:`Quantisation`). A layer
writes its equations as it always does, over such tensors; what they mean is real. ``quantised``
turns them into the whole-number equations that TensorFlow Lite Micro computes, to the last bit::

    conv1/sum[y, x, c] = sum(u, v, i) (input[y + u, x + v, i] + 128) * kernel[c, u, v, i] + bias[c]
    conv1[y, x, c] = min(max(shift_right(high_product(conv1/sum[y, x, c],
        multiplier[c]), shift[c]) - 30, -128), 127)

The rules, tried in this order (:data:`netsheet.quantise.rewriting.RULES`); each sees the equations
that are left and takes the first few of them:

1. ``movements``: a read, a window's maximum, padding: values move, nothing is computed.
2. ``products``: a sum of products with stored numbers: a sum in 32 bits, then scaled.
3. ``averages``: the mean of a window; sums and means along axes, in a scale of their own.
   ``interpolation``: sums with fixed shares, as a resized map has them.
4. ``sums``: two tensors added, taken from each other or multiplied, each scaled first;
   ``slopes``: a stored slope below zero.
5. ``softmax``: its four equations.
6. ``tables``: any function of one value: a table of its 256 results.

What none of them takes is refused by name, or (:func:`netsheet.quantise.edges.through_reals`) is
computed in real numbers between a way out of the whole ones and a way back.

An activation behind a sum (``conv1/pre``, then ``conv1``) is no step of its own: where it only
limits, it becomes the limits of the result (:func:`netsheet.quantise.rewriting.with_limits`).
Everything that is read on the way is a tensor with a name: sums, multipliers, shifts, tables.
"""
