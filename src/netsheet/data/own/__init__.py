"""A data set of one's own: pictures brought into one form, looked through, split and kept.

:mod:`~netsheet.data.own.preparation` says what is done to each picture,
:mod:`~netsheet.data.own.strokes` finds handwriting in a photograph,
:mod:`~netsheet.data.own.twins` finds pictures that are there twice,
:mod:`~netsheet.data.own.division` divides, and :mod:`~netsheet.data.own.making` does all of it.
"""
