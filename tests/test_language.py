"""The language of messages: the catalogue is whole, and commands speak what is asked for."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import warm_start
from netsheet.cli import language
from netsheet.data import __file__ as data_room
from netsheet.errors import UsageError
from netsheet.language.catalogue import Catalogue, parsed
from netsheet.tables import folded

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = Path(data_room).parent / "sample"
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
# Entries that are no sentence: beside numbers and names there is nothing to translate.
BARE = {"MACs", "{0}: split", "qemu {0}, {1} (Cortex-M4F)", "netsheet: {0}", "dilation {0}"}


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("messages", ROOT / "tools" / "messages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["messages"] = module
    spec.loader.exec_module(module)
    return module


MESSAGES = tool()
TRANSLATIONS: dict[str, str] = MESSAGES.read_catalogue()


def netsheet(*words: object, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "NETSHEET_L"))}
    done = warm_start.netsheet(*words, env={**clean, **environment})
    assert done.returncode == code, done.stderr
    return done


def test_every_message_of_the_source_is_translated() -> None:
    found = MESSAGES.messages()
    assert len(found) > 900
    lacking = [f"{found[text][0]}: {text}" for text in found if not TRANSLATIONS.get(text)]
    assert not lacking, "python tools/messages.py --update, then translate: " + "\n".join(lacking)
    assert not [text for text in TRANSLATIONS if text not in found], "no longer said"


def test_the_walk_through_the_source_sees_what_is_raised_noted_and_headed() -> None:
    found = MESSAGES.messages()
    for text in (
        "there is no layer {0!r}{1}",  # raised
        "{0}: dark on a bright ground, but inverted the network sees more in {1} ({2}). If it was "
        "trained on white on black, give --invert (in Python: 255 - the pixels).",  # warned
        "max deviation",  # a heading
        "Factor for the input's values: 1, 0.5, 1/127.5 (default 1/255).",  # an option's help
        "Print accuracy and loss on a labelled data set.",  # a command's help
        "it is a Lambda layer: its code is not run",  # a reason
        "verifying",  # progress
        "the training set",  # a part of a note
    ):
        assert text in found, text


def test_translations_fill_in_what_the_message_does() -> None:
    for text, translation in TRANSLATIONS.items():
        gaps = set(re.findall(r"\{(\d+)", text))
        used = set(re.findall(r"\{(\d+)\}", translation))
        assert used <= gaps, text
        for gap in gaps - used:  # an English plural's s
            assert re.search(rf"[a-z]\{{{gap}\}}(?![a-z])", text), text
        if text not in BARE and not JAPANESE.search(translation):
            assert not re.search(r"[A-Za-z]+ [a-z]+ [a-z]+", translation), text


def filled(text: str, values: list[str]) -> str:
    text = re.sub(r"\{(\d+)!r\}", lambda found: f"'{values[int(found[1])]}'", text)
    return re.sub(r"\{(\d+)\}", lambda found: values[int(found[1])], text)


def test_every_message_is_recognised_when_it_is_filled_in() -> None:
    catalogue = Catalogue(TRANSLATIONS)
    wrong = []
    for text, translation in TRANSLATIONS.items():
        gaps = re.findall(r"\{(\d+)(!r)?\}", text)
        dropped = {gap for gap, _ in gaps if f"{{{gap}}}" not in translation}
        values = ["s" if str(n) in dropped else f"x{n}" for n in range(10)]
        message = filled(text, values).replace("{{", "{").replace("}}", "}")
        quoted = [f"'{values[n]}'" if (str(n), "!r") in gaps else values[n] for n in range(10)]
        if " " not in text and "{" not in text:
            assert catalogue.word(text) == translation
        elif catalogue.translated(message).strip() != translation.format(*quoted).strip():
            wrong.append((message, catalogue.translated(message)))
    # A template of a letter or two says a message only around other messages; and now and then one
    # message reads as another of nearly the same words: that is Japanese as well.
    long = [message for message, said in wrong if len(re.findall("[a-z]", message)) > 6]
    assert len(long) <= 10 and all(JAPANESE.search(catalogue.translated(one)) for one in long), (
        wrong
    )


@pytest.mark.parametrize(
    "text",
    [
        "a.h5: there is no such file.",
        "there is no layer 'conv9'; did you mean 'conv1'?",
        "there is no layer 'zzz'; there are conv1, conv2 and 3 more.",
        "layer 'l' (Lambda) cannot be written as C: it is a Lambda layer: its code is not run; "
        "write the part before it with --until conv1.",
        "digits, the test set: 200 samples (28, 28, 1), scaled by 1/255 (pixels; --scale 1 if the "
        "network takes 0 .. 255), labels from the first column",
        "m.pkl is a Python pickle, which is a program and never opened. Save the model as .h5.",
    ],
)
def test_messages_in_messages_are_translated(text: str) -> None:
    said = Catalogue(TRANSLATIONS).translated(text)
    assert not re.search(r"\b(there|is|the|it|of|did|mean|not|with|by|from)\b", said), said
    for name in re.findall(r"'[^']*'|\w+\.(?:h5|pkl)|\d+", text):
        assert name in said


def test_what_is_no_message_stays_as_it_is() -> None:
    catalogue = Catalogue(TRANSLATIONS)
    for text in ("conv1[c, y, x] = sum(u, v) input[y + u]", "input", "layer", "a of b", "",
                 "[[0.1 0.2]\n [0.3 0.4]]", "cat is dog", "kernel  (3, 3)  (out, in)"):  # fmt: skip
        assert catalogue.translated(text) == text


def test_a_message_of_many_parts_is_read_in_no_time() -> None:
    catalogue = Catalogue(TRANSLATIONS)
    long = "; ".join(
        f"layer 'x{n}' (Dense): it needs 'y{n}', which is not computed" for n in range(12)
    )
    assert "計算できない" in catalogue.translated(long)
    assert catalogue.translated("(" * 400 + " is " * 100 + ")" * 300)


def test_the_language_is_chosen_by_option_environment_or_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(language, "chosen", "en")
    monkeypatch.setattr(language, "asked", False)
    choose = language.choose
    assert choose(["excel", "--lang", "ja", "x"], {}) == ["excel", "x"]
    assert (language.chosen, language.asked) == ("ja", True)
    assert choose(["--lang=en"], {"LANG": "ja_JP.UTF-8"}) == [] and language.chosen == "en"
    assert choose(["x"], {"NETSHEET_LANG": "ja", "LANG": "C"}) == ["x"] and language.asked
    choose([], {"LANG": "ja_JP.UTF-8"})
    assert (language.chosen, language.asked) == ("ja", False)
    choose([], {"LANG": "ja_JP.UTF-8", "LC_ALL": "C.UTF-8"})
    assert language.chosen == "en"
    choose([], {"LANG": "de_DE.UTF-8"})
    assert language.chosen == "en"
    with pytest.raises(UsageError, match="no language 'fr'"):
        choose(["--lang", "fr"], {})
    with pytest.raises(UsageError, match="NETSHEET_LANG"):
        choose([], {"NETSHEET_LANG": "japanese"})
    with pytest.raises(UsageError, match="takes a language"):
        choose(["excel", "--lang"], {})


def test_commands_speak_japanese_and_data_does_not(tmp_path: Path) -> None:
    network, picture = SAMPLE / "digits.h5", SAMPLE / "digit5.png"
    said = netsheet("--lang", "ja", "predict", tmp_path / "no.h5", "-i", picture, code=2).stderr
    assert "ファイルはありません" in said
    said = netsheet("predict", network, "--topp", "3", code=2, NETSHEET_LANG="ja").stderr
    assert "--top のことですか" in said and "\n" not in said.strip()
    table = netsheet(network, LANG="ja_JP.UTF-8").stdout
    assert "出力の形" in table and "積和演算: 15,840" in table and "Conv2D" in table
    assert "判定" in netsheet("verify", network, "--target", "onnx", "--lang", "ja").stdout
    for words in (["summary", network, "--json"], ["predict", network, "-i", picture, "--json"],
                  ["equations", network], ["csv", network, "-o", "-"]):  # fmt: skip
        english, japanese = netsheet(*words), netsheet(*words, NETSHEET_LANG="ja")
        assert english.stdout == japanese.stdout


def test_what_the_parser_says_is_translated() -> None:
    network = SAMPLE / "digits.h5"
    for words in (["predict"], ["predict", network, "--top", "x"], ["predict", network, "more"],
                  ["predict", network, "--top"], ["predict", network, "--samples", "0"],
                  ["excel", network], ["predict", network, "--json=3"]):  # fmt: skip
        said = netsheet("--lang", "ja", *words, code=2).stderr
        assert JAPANESE.search(said) and not re.search(r"\b(not|is|got|the|should)\b", said), said


def test_help_is_translated_and_folded_without_loss() -> None:
    for command in ("", "predict", "excel", "verify", "train", "page"):
        words = [command, "--help"] if command else ["--help"]
        text = netsheet(*words, NETSHEET_LANG="ja").stdout
        english = re.findall(r"\b(?:the|of|and|print|write|file)\b", text)
        assert not english and "オプション" in text and "…" not in text, (command, english)
        options = set(re.findall(r"--[a-z-]+", netsheet(*words).stdout))
        assert options <= set(re.findall(r"--[a-z-]+", text))


def test_lines_are_folded_at_spaces_or_between_japanese_letters() -> None:
    from rich.cells import cell_len

    text = "学習済みニューラルネットワークを Keras の model.keras から開き、すべてを見せます。"
    for width in (16, 20, 33):
        lines = folded(text, width)
        assert all(cell_len(line) <= width for line in lines)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert not [line for line in lines if line[0] in "、。）"]
        assert any("model.keras" in line for line in lines)
    assert folded("one two three", 8) == ["one two", "three"]


def test_the_catalogue_file_is_gettext(tmp_path: Path) -> None:
    text = (ROOT / "src/netsheet/language/ja.po").read_text("utf-8")
    assert parsed(text) == TRANSLATIONS
    assert parsed('msgid "a \\"b\\"\\n"\nmsgstr "c\\\\d"\n') == {'a "b"\n': "c\\d"}
