"""The command data: a set of one's own pictures to train with, and what a set looks like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from netsheet.cli import language, options, show
from netsheet.cli.declarations import Argument, Option
from netsheet.cli.options import Json
from netsheet.errors import UsageError

if TYPE_CHECKING:
    from netsheet.data.own.making import OwnSet, Wanted

SHOWN = 10  # files of a kind that are named
IN_ROW = 18  # pictures of a class on the contact sheet
FIRST = 10  # labels that are shown as rows of zeros and a one


def data(
    source: Annotated[
        str,
        Argument(
            help="A folder of one folder of pictures per class, or any data set; a single picture.",
            metavar="SOURCE",
        ),
    ],
    output: Annotated[
        Path | None, Option("--output", "-o", help="The .npz to write; of one picture a .png.")
    ] = None,
    size: Annotated[
        str | None, Option("--size", help="Of all pictures, WIDTHxHEIGHT, such as 28x28.")
    ] = None,
    grey: Annotated[bool, Option("--grey", help="Without colours.")] = False,
    fit: Annotated[
        str, Option("--fit", help="auto, strokes (as MNIST's digits), stretch, pad or crop.")
    ] = "auto",
    invert: Annotated[
        str | None,
        Option(
            "--invert", help="auto: what is on a bright ground becomes white on black; yes; no."
        ),
    ] = None,
    split: Annotated[
        str | None,
        Option("--split", help="Share to train with, as 0.8; or the part to take: train, test."),
    ] = None,
    seed: Annotated[int, Option("--seed", help="The same seed, the same split.")] = 0,
    keep_twins: Annotated[
        bool, Option("--keep-duplicates", help="Pictures that are there twice stay.")
    ] = False,
    label: Annotated[
        str | None,
        Option("--label", help="Of a CSV, the column of labels: its heading, first, last."),
    ] = None,
    like: Annotated[
        Path | None, Option("--like", help="Prepare as this .npz or trained network was.")
    ] = None,
    sheet: Annotated[
        Path | None,
        Option("--sheet", help="The contact sheet (.png); beside the output if not said."),
    ] = None,
    preview: Annotated[
        bool, Option("--preview", help="Show shapes, labels and a contact sheet; write no set.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a data set of your own pictures, or look at one."""
    from netsheet.data.images import SUFFIXES
    from netsheet.data.own.making import own_set

    wanted, source = _wanted(source, size, grey, fit, invert, split, seed, keep_twins)
    if Path(source).suffix.lower() in SUFFIXES and Path(source).is_file():
        _one_picture(Path(source), output, wanted, like)
        return
    if output is None and not preview:
        raise UsageError("give the file to write with -o set.npz (or --preview to look only).")
    if output is not None and output.suffix.lower() != ".npz":
        raise UsageError(f"{output}: a data set is written as .npz; name it so.")
    if output is not None:
        options.spare(output, source)
    with show.progress("reading") as bar:
        made = own_set(source, _like(wanted, like), label, bar)
    if as_json:
        from netsheet.data.own.making import as_json as plain

        show.as_json(plain(made))
    else:
        _report(made, wanted)
    if preview and not as_json:
        _preview(made)
    if output is not None:
        made.write(output)
        shapes = ", ".join(
            f"x{'_' * bool(part)}{part} {(int(own.sum()), *made.x.shape[1:])}"
            for part, own in made.parts.items()
        )
        show.wrote(output, f"{output}: {shapes}")
    if made.form is not None:
        target = sheet or (
            output.with_suffix(".png") if output else Path(f"{Path(made.name).stem}-preview.png")
        )
        _contact_sheet(made, target)
        show.wrote(target, str(target))


def _wanted(
    source: str, size: str | None, grey: bool, fit: str, invert: str | None, split: str | None,
    seed: int, keep_twins: bool,
) -> tuple[Wanted, str]:  # fmt: skip
    """What is asked for; a part of the source goes with its name."""
    from netsheet.data.own.making import Wanted
    from netsheet.data.own.preparation import FITS, INVERTS
    from netsheet.errors import choices

    if fit not in FITS:
        raise UsageError(f"there is no way to fit {fit!r}{choices(fit, FITS)}")
    if invert is not None and invert not in INVERTS:
        raise UsageError(f"--invert is auto, yes or no, not {invert!r}.")
    share = None
    if split in ("train", "test"):
        source = f"{source}#{split}"
    elif split is not None:
        try:
            share = float(split)
        except ValueError:
            raise UsageError(
                f"--split {split}: give the share to train with, as 0.8, or train or test."
            ) from None
    return Wanted(_size(size), grey, fit, invert, share, seed, keep_twins), source


def _size(text: str | None) -> tuple[int, int] | None:
    """Height and width."""
    if text is None:
        return None
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise UsageError(f"--size {text}: say it as 28x28, width and height.") from None
    if not (1 <= width <= 4096 and 1 <= height <= 4096):
        raise UsageError(f"--size {text}: sides are from 1 to 4096 pixels.")
    return height, width


# --------------------------------------------------------------------------- as another one


def _like(wanted: Wanted, like: Path | None) -> Wanted:
    """The same form as that of a set or of a network."""
    from dataclasses import replace

    if like is None:
        return wanted
    form = _form_of(like)
    return replace(
        wanted, size=(form.height, form.width), grey=form.channels == 1, fit=form.fit,
        invert=form.invert,
    )  # fmt: skip


def _form_of(like: Path) -> Any:
    import netsheet
    from netsheet.data.own.making import kept_form
    from netsheet.data.own.preparation import trained_form

    kept = like.suffix.lower() == ".npz"
    form = kept_form(like) if kept else trained_form(netsheet.load(like))
    if form is None:
        raise UsageError(f"{like}: does not say how its pictures were prepared.")
    return form


def _one_picture(path: Path, output: Path | None, wanted: Wanted, like: Path | None) -> None:
    """One picture, prepared as those of a set are."""
    from PIL import Image

    from netsheet.data.own.pictures import form_of
    from netsheet.files import atomic

    if output is None or output.suffix.lower() != ".png":
        raise UsageError("one picture is written as a picture: name it with -o picture.png.")
    options.spare(output, path)
    form = _form_of(like) if like else form_of([path], wanted, str(path))
    pixels, done = form.prepared(path)
    with atomic(output) as place:
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(
            place, format="PNG"
        )
    show.note(f"{path}: {done}")
    show.wrote(output, str(output))


# --------------------------------------------------------------------------- what came of it


def _report(made: OwnSet, wanted: Wanted) -> None:
    from netsheet.data.own.making import across, rarest

    classes = sum(1 for one in made.counts if one[1] + one[2])
    show.say(f"{made.name}: {len(made.x):,} samples of {classes} classes")
    for how, count in sorted(made.done.items(), key=lambda one: -one[1]):
        show.say(f"  {count:,}: {how}")
    if made.form is not None:
        _overridable(made, wanted)
    show.say()
    if made.train is None:
        rows = [[name, f"{count:,}"] for name, count, _ in made.counts]
        show.table_lines([("class", "left"), ("samples", "right")], rows)
    else:
        rows = [[name, f"{a:,}", f"{b:,}"] for name, a, b in made.counts]
        show.table_lines([("class", "left"), ("train", "right"), ("test", "right")], rows)
    show.say()
    for one in made.left_out[:SHOWN]:
        show.say(f"left out: {one.text}")
    if len(made.left_out) > SHOWN:
        show.say(f"and {len(made.left_out) - SHOWN} more left out (--json names all)")
    _near(made, across(made))
    uneven = rarest(made)
    if uneven is not None:
        (low, few), (high, many) = uneven
        show.note(
            f"warning: classes are uneven: {few} samples of {low}, {many} of {high}; train with "
            "--balanced, which lets every class count alike, or add pictures."
        )
    bare = [name for name, *counts in made.counts if not any(counts)]
    if bare:
        show.note(f"warning: no samples of {', '.join(bare[:SHOWN])} are left.")
    if made.train is not None:
        alone = [name for name, a, b in made.counts if a and not b]
        if alone:
            show.note(f"warning: nothing to test with of {', '.join(alone[:SHOWN])}.")


def _overridable(made: OwnSet, wanted: Wanted) -> None:
    """What was decided here, and how to decide otherwise."""
    form = made.form
    assert form is not None
    if wanted.fit == "auto" and form.fit == "strokes":
        show.say("  taken for writing on a plain ground; --fit stretch leaves the pictures whole")
    if wanted.invert is None and form.invert == "auto" and any("inv" in how or "white on" in how
                                                               for how in made.done):  # fmt: skip
        show.say("  white on black, as MNIST; --invert no leaves dark on bright")


def _near(made: OwnSet, over: list[tuple[str, str]]) -> None:
    """Pictures that are nearly alike: what they do to a test."""
    if not made.near:
        return
    pairs = [f"{made.names[p.first]} = {made.names[p.second]}" for p in made.near]
    more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
    show.say(f"nearly alike: {', '.join(pairs[:5])}{more}")
    if over:
        show.note(
            f"warning: {len(over)} pictures to test with are nearly alike some to train with "
            f"({over[0][0]} = {over[0][1]}): the test says more than is true. Split anew with "
            "--split, or delete one of each."
        )
    elif made.train is not None:
        show.say("those that are nearly alike are on the same side of the split")


def _preview(made: OwnSet) -> None:
    """Shapes before and after, and the first labels as rows of zeros and a one."""
    classes = len(made.class_names)
    for part, own in made.parts.items():
        x, y = (f"{name}_{part}" if part else name for name in "xy")
        count, shape = int(own.sum()), made.x.shape[1:]
        kind = made.x.dtype
        after = "float32, 0 .. 1" if made.form is not None else "float32"
        before = shape[:-1] if len(shape) == 3 and shape[-1] == 1 else shape
        show.say(f"{x:<8} {(count, *before)} {kind}  ->  {(count, *shape)} {after}")
        show.say(f"{y:<8} {(count,)} {made.y.dtype}  ->  {(count, classes)} one-hot")
    show.say()
    for number in range(min(FIRST, len(made.y))):
        true = int(made.y[number])
        row = " ".join("1" if n == true else "0" for n in range(classes))
        show.say(f"{made.names[number]:<8} {made.class_names[true]:>4}  ->  [{row}]")
    show.say()


def _contact_sheet(made: OwnSet, target: Path) -> None:
    import numpy as np

    from netsheet.write.pictures.contact import Contact, write_contact_sheet

    rows = []
    for number, name in enumerate(made.class_names):
        own = np.nonzero(made.y == number)[0]
        spread = np.linspace(0, len(own) - 1, min(IN_ROW, len(own))).round().astype(int)
        chosen = own[spread]
        title = f"{name}: {len(own):,} samples"
        rows.append((title, [Contact(made.x[n]) for n in chosen]))
    write_contact_sheet(target, rows, language.chosen)
