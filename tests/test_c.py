"""Generated C, compiled by the host's compiler with all warnings as errors."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import netsheet
import warm_start
from netsheet.data.inputs import InputValue, Sample, read_input
from netsheet.data.probe import probe
from netsheet.equations import Weight
from netsheet.errors import NetsheetError, UnsupportedError, UsageError
from netsheet.layers.activation import Softmax, Tanh
from netsheet.layers.dense import Dense
from netsheet.layers.merge import Add
from netsheet.layers.opaque import Opaque
from netsheet.model import Model
from netsheet.network import LayerCall, Source, ValueRef
from netsheet.verify import verify
from netsheet.verify.engines.c_host import compiler, native_options, run_library
from netsheet.write.c import TARGETS, to_c
from netsheet.write.c import sources as c_sources
from netsheet.write.c.library import library
from netsheet.write.c.names import comment, string
from netsheet.write.c.report import CReport

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-std=c99", "-pedantic", "-Werror"]
STRICT = ["-Wmissing-prototypes", "-Wshadow", "-Wdouble-promotion", "-Wcast-qual", "-Wundef"]
STUBS = Path(__file__).parent / "stubs"
SAMPLE = Path(netsheet.__file__).parent / "data" / "sample"

pytestmark = pytest.mark.skipif(
    not (shutil.which("cc") or shutil.which("gcc")), reason="there is no C compiler"
)


def run(command: list[str], folder: Path, expected: int = 0) -> str:
    """What a command prints; its exit status has to be as expected."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == expected, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def compiled(folder: Path, *more: str, program: str = "net") -> str:
    """The test program's output, after compiling the plain files."""
    sources = [f"{program}{part}.c" for part in ("_test", "", "_weights")]
    run([compiler(), *WARNINGS, *STRICT, "-O1", *more, "-o", "t", *sources, "-lm"],
        folder)  # fmt: skip
    return run(["./t"], folder)


def dense(name: str, inputs: int, units: int) -> Dense:
    values = np.random.default_rng(3).normal(size=(inputs, units)).astype(np.float32)
    layer = Dense(name=name, units=units, use_bias=False)
    label = f"{name}/kernel"
    layer.weights["kernel"] = Weight(label, ("in", "out"), values.shape, None, "kernel", values)
    return layer


@pytest.fixture(scope="module")
def digits() -> Model:
    """The network that the package carries."""
    return netsheet.load(SAMPLE / "digits.h5")


@pytest.fixture(scope="module")
def five(digits: Model) -> Sample:
    return read_input(SAMPLE / "digit5.png", digits.inputs)


# --------------------------------------------------------------------------- the proof


def test_every_layer_of_the_sample(digits: Model, five: Sample) -> None:
    verdict = verify(digits, "c", [five, probe(digits)])
    assert verdict.ok, verdict.first_failure
    output = digits.outputs[0].name
    wanted = [*digits.tensors(), f"{output} (net_run, traced)", f"{output} (net_run)"]
    # with the vectors that this computer has, and without any
    wanted += [f"{output} (net_run, {option})" for option in native_options()]
    wanted += [f"{output} (net_run, portable)"]
    assert [row.layer for row in verdict.layers] == wanted
    assert verdict.layers[0].cells == 2 * digits.tensors()[wanted[0]].size


@pytest.mark.parametrize("file", ["my_model.h5", "my_model_channels_last.h5"])
def test_every_layer_of_the_published_network(seed: Path, file: str) -> None:
    model = netsheet.load(seed / file)
    verdict = verify(model, "c", [read_input(seed / "digit5.png", model.inputs)])
    assert verdict.ok, verdict.first_failure


def test_published_numbers(seed: Path) -> None:
    """The article's own values, not ours."""
    model = netsheet.load(seed / "my_model.h5")
    published = json.loads((seed / "published.json").read_text())
    digit = read_input(seed / "digit5.png", model.inputs)
    (tensors,) = run_library(library(model), [digit.arrays])
    values = dict(tensors)
    for layer, numbers in published["activations_for_digit5"].items():
        np.testing.assert_allclose(values[layer], np.ravel(numbers), atol=1e-5)
    assert int(np.argmax(values["#0"])) == published["predicted_class_for_digit5"]


@pytest.mark.parametrize(
    "file",
    [
        "pretrainedResnet.h5",
        "str_ww_ref_model.h5",
        pytest.param("ad01.h5", marks=pytest.mark.slow),
    ],
)
def test_every_layer_of_larger_networks(shared: Path, file: str) -> None:
    model = netsheet.load(shared / "models" / file)
    verdict = verify(model, "c", [probe(model)])
    assert verdict.ok, verdict.first_failure


KERAS = [
    "k2_lstm_stack.h5", "k3_bidirectional.keras", "k3_attention_block.keras", "k3_embedding.keras",
    "k3_channels_first.keras", "k2_nested_shared.h5", "k3_conv_transpose.keras",
]  # fmt: skip


@pytest.mark.parametrize("file", KERAS)
def test_what_keras_computed(shared: Path, file: str) -> None:
    """Every layer of which Keras' own output is stored, both samples, in the traced program."""
    path = shared / "corpus" / "open" / file
    stored = np.load(path.with_suffix(".npz"))
    model = netsheet.load(path)
    given = [[stored[f"input:{t.name}"][n] for t in model.inputs] for n in range(2)]
    results = run_library(library(model), given)
    outputs = [key for key in stored if key.startswith("final:")]
    compared = 0
    for n, tensors in enumerate(results):
        values = dict(tensors)
        pairs = [(key.removeprefix("output:"), stored[key][n]) for key in stored]
        pairs += [(f"#{i}", stored[key][n]) for i, key in enumerate(outputs)]
        for key, expected in pairs:
            if key in values:
                bound = 1e-5 * max(1.0, np.abs(expected).max())
                assert np.abs(values[key] - expected.ravel()).max() <= bound, key
                compared += 1
    assert compared >= 2 * (len(outputs) + 1)


@pytest.mark.parametrize("file", ["my_model.h5", "k3_gru_both.keras", "k3_resample.keras"])
def test_sanitizers_find_nothing(shared: Path, file: str) -> None:
    path = shared / ("seed" if file == "my_model.h5" else "corpus/open") / file
    model = netsheet.load(path)
    verdict = verify(model, "c", [probe(model)], sanitize=True)
    assert verdict.ok and "sanitized" in verdict.engine


@pytest.mark.parametrize("at", ["arena[NET_ARENA_SIZE]", "arena[-1]"])
def test_a_write_outside_the_arena_is_noticed(
    digits: Model, five: Sample, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = c_sources.code(library(digits))
    wrong = right.replace("    return 0;\n", f"    {at} = 1.0f;\n    return 0;\n")
    assert wrong != right
    monkeypatch.setattr(c_sources, "code", lambda lib: wrong)
    with pytest.raises(NetsheetError, match="outside its arena"):
        verify(digits, "c", [five])


def test_memory_that_was_never_written_is_noticed(
    digits: Model, five: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A layer that is left out reads NaN, not what lay there by chance."""
    right = c_sources.code(library(digits))
    call = re.findall(r"^    net_layer_\w+\(.*\);\n", right, re.MULTILINE)[0]
    monkeypatch.setattr(
        c_sources, "code", lambda lib: right.replace(call, f"    if (!arena)\n    {call}")
    )
    verdict = verify(digits, "c", [five])
    assert verdict.first_failure is not None
    assert verdict.first_failure.note == "values that are no numbers"


# --------------------------------------------------------------------------- what is written


def test_the_test_program_agrees_and_shows_every_layer(
    digits: Model, five: Sample, tmp_path: Path
) -> None:
    to_c(digits, tmp_path / "c", sample=five)
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == [
        "README.md", "net.c", "net.h", "net_test.c", "net_weights.c",
    ]  # fmt: skip
    plain = compiled(tmp_path / "c", "-O3")
    assert "class 5, reference 5" in plain and "all agrees" in plain
    traced = compiled(tmp_path / "c", "-O3", "-DNET_TRACE")
    rows = [line.split() for line in traced.splitlines()]
    shown = [row[0] for row in rows if row[-1] == "ok"]
    assert shown[:-1] == list(digits.tensors())
    assert all(len(line) <= 80 for line in traced.splitlines())


def test_the_test_program_names_the_layer_that_departs(
    digits: Model, five: Sample, tmp_path: Path
) -> None:
    to_c(digits, tmp_path, sample=five)
    weights = tmp_path / "net_weights.c"
    lib = library(digits)
    layer = next(node for node in digits.nodes[1:] if node.layer.weights)
    spoiled = next(
        name
        for name, buffer in lib.constants.buffers.items()
        if layer.layer.name in buffer.note + name
    )
    text = weights.read_text()
    start = text.index(f"\nconst NET_FLASH float net_{spoiled}[")
    end = text.index("}", start)
    changed = text[:start] + text[start:end].replace("0.", "1.") + text[end:]
    assert changed != text
    weights.write_text(changed)
    sources = ["net_test.c", "net.c", "net_weights.c"]
    run([compiler(), "-DNET_TRACE", "-o", "t", *sources, "-lm"], tmp_path)
    said = run(["./t"], tmp_path, expected=1)
    assert f"the first departure is at {layer.key}" in said
    before = [node.key for node in digits.nodes[: digits.nodes.index(layer)]]
    assert all(re.search(rf"^{re.escape(key)} .* ok$", said, re.MULTILINE) for key in before)


def test_an_open_layer_is_thinned_out(digits: Model, five: Sample) -> None:
    from netsheet.write.c.test_program import stored

    batch = {t.name: a[None] for t, a in zip(digits.inputs, five.arrays, strict=True)}
    reference = {key: value[0] for key, value in digits.activations(batch).items()}
    kept = stored(library(digits), reference, limit=200)
    assert any(layer.step > 1 for layer in kept)
    assert sum(layer.values.size for layer in kept) <= 200
    for layer in kept:
        np.testing.assert_array_equal(layer.values, reference[layer.layer].ravel()[:: layer.step])


def test_the_header_serves_cpp(digits: Model, five: Sample, tmp_path: Path) -> None:
    to_c(digits, tmp_path, sample=five)
    (tmp_path / "main.cpp").write_text(
        '#include "net.h"\n#include <vector>\n'
        "int main() { std::vector<float> in(NET_INPUT_SIZE), out(NET_OUTPUT_SIZE);\n"
        "return net_run(in.data(), out.data()) + (NET_CLASSES != NET_OUTPUT_SIZE); }\n"
    )
    run([compiler(), *WARNINGS, "-c", "net.c", "net_weights.c"], tmp_path)
    cpp = ["g++", "-std=c++11", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]
    run([*cpp, "-o", "t", "main.cpp", "net.o", "net_weights.o", "-lm"], tmp_path)
    run(["./t"], tmp_path)


def test_no_memory_but_one_arena_and_no_functions_but_mathematics(
    digits: Model, tmp_path: Path
) -> None:
    report = to_c(digits, tmp_path)
    run([compiler(), "-O1", "-c", "net.c", "net_weights.c"], tmp_path)
    symbols = [line.split() for line in run(["nm", "net.o"], tmp_path).splitlines()]
    writable = [row[-1] for row in symbols if row[-2] in "bBdDC"]
    assert [name.split(".")[0] for name in writable] == ["arena"]
    both = run(["nm", "-g", "--defined-only", "net.o", "net_weights.o"], tmp_path).splitlines()
    assert all(row.split()[-1].startswith("net_") for row in both if row and not row.endswith(":"))
    wanted = {row[-1] for row in symbols if row[-2] == "U"}
    outside = {name for name in wanted if not name.startswith("net_")}
    assert outside <= {"expf", "sqrtf", "tanhf", "memcpy", "memset", "_GLOBAL_OFFSET_TABLE_",
                       "__stack_chk_fail"}  # fmt: skip
    assert [row[-2] for row in symbols if row[-1] == "net_run"] == ["T"]
    sizes = run(["size", "net.o", "net_weights.o"], tmp_path).splitlines()
    bss = sum(int(line.split()[2]) for line in sizes[1:])
    assert report.arena <= bss <= report.arena + 64


ARENAS = """#include "net.h"
#include <pthread.h>
#include <string.h>

static float inputs[2][NET_INPUT_SIZE], results[2][NET_OUTPUT_SIZE], arenas[2][NET_ARENA_SIZE];

static void *often(void *which)
{
    const int n = *(int *)which;
    float output[NET_OUTPUT_SIZE];
    for (int i = 0; i < 50; i++) {
        net_run_arena(inputs[n], output, arenas[n]);
        if (memcmp(output, results[n], sizeof output) != 0)
            return which;
    }
    return 0;
}

int main(void)
{
    pthread_t threads[2];
    int numbers[2] = {0, 1}, wrong = 0;
    for (int i = 0; i < NET_INPUT_SIZE; i++) {
        inputs[0][i] = (float)(i % 7) / 7.0f;
        inputs[1][i] = (float)(i % 5) / 5.0f;
    }
    net_run(inputs[0], results[0]);
    net_run(inputs[1], results[1]);
    if (memcmp(results[0], results[1], sizeof results[0]) == 0)
        return 2;
    for (int n = 0; n < 2; n++)
        pthread_create(threads + n, 0, often, numbers + n);
    for (int n = 0; n < 2; n++) {
        void *result;
        pthread_join(threads[n], &result);
        wrong += result != 0;
    }
    return wrong;
}
"""


def test_calls_with_their_own_arenas_do_not_meet(digits: Model, tmp_path: Path) -> None:
    to_c(digits, tmp_path)
    (tmp_path / "main.c").write_text(ARENAS)
    sources = ["main.c", "net.c", "net_weights.c"]
    run([compiler(), "-O2", "-pthread", "-o", "t", *sources, "-lm"], tmp_path)
    run(["./t"], tmp_path)


@pytest.mark.parametrize("name", ["net", "Digit_Reader"])
def test_a_name_of_ones_own(digits: Model, five: Sample, name: str, tmp_path: Path) -> None:
    to_c(digits, tmp_path, name=name, sample=five)
    assert "class 5" in compiled(tmp_path, f"-D{name.upper()}_TRACE", program=name)
    text = "".join(path.read_text() for path in tmp_path.glob("*.[ch]"))
    assert name == "net" or not re.search(r"\bnet_|\bNET_|@", text)


HOSTILE = [
    "畳み込み層1", "*/ #error", 'x"; int y = "', "int", "net_run", "??/", "a\nb", "\\", "@lib",
    "100%d", "input", "arena", "1st", "Ünïcode", "x" * 300,
    "run", "run_arena", "tanh", "max", "trace", "test", "say", "row", "vector", "mask", "index",
    "table0", "sample", "w_d_kernel", "once", "mac", "exp", "at", "shape", "i0", "a",
]  # fmt: skip


def test_any_names(tmp_path: Path) -> None:
    """Names of layers are no more than data, in C, in comments and in the README."""
    calls = []
    before = "画像?"
    for name in HOSTILE:
        calls.append(LayerCall(name, Tanh(name=name), (ValueRef(before),)))
        before = name
    model = Model("*/ \n#include <x>", calls, [Source("画像?", (3,))], [ValueRef(before)])
    verdict = verify(model, "c", [probe(model)])
    assert verdict.ok, verdict.first_failure
    assert [row.layer for row in verdict.layers[: len(HOSTILE)]] == HOSTILE
    for target in TARGETS:
        to_c(model, tmp_path / target, target=target)
    assert "all agrees" in compiled(
        tmp_path / "plain", "-DNET_TRACE", "-trigraphs", "-Wno-trigraphs"
    )


def test_functions_say_what_they_compute(seed: Path) -> None:
    text = c_sources.code(library(netsheet.load(seed / "my_model.h5")))
    equation = (
        "conv1[c, y, x] = sum(u, v, i) input_1[i, y + u, x + v] * kernel[u, v, i, c] + bias[c]"
    )
    assert text.count(f"/* {equation}") == 2  # fast, and traced
    assert max(map(len, re.findall(r"^(?:/\*| \*).*$", text, re.MULTILINE))) <= 100


def test_texts_in_c() -> None:
    assert comment("*/ a /* b \\ ??/ \n") == "* / a / * b / ? ?/  "
    assert string('a"\\?é\n') == '"a\\042\\134\\077\\303\\251\\012"'


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    """Names that differ in case only stay apart as macros."""
    calls = [
        LayerCall("hidden", dense("hidden", 3, 4), (ValueRef("A"),)),
        LayerCall("sum", Add(name="sum"), (ValueRef("hidden"), ValueRef("a"))),
        LayerCall("Soft", Softmax(name="Soft"), (ValueRef("sum"),)),
    ]
    sources = [Source("A", (3,)), Source("a", (4,)), Source("unused", (2,))]
    model = Model(
        "two", calls, sources, [ValueRef("Soft"), ValueRef("sum"), ValueRef("Soft"), ValueRef("a")]
    )
    verdict = verify(model, "c", [probe(model)])
    assert verdict.ok, verdict.first_failure
    for target in TARGETS:
        to_c(model, tmp_path / target, target=target)
    assert "all agrees" in compiled(tmp_path / "plain", "-DNET_TRACE")
    header = (tmp_path / "plain" / "net.h").read_text()
    assert "#define NET_INPUT_A_SIZE 3" in header and "#define NET_INPUT_A_2_SIZE 4" in header


# --------------------------------------------------------------------------- packagings


def sketch(folder: Path, source: str, include: str, *objects: str) -> str:
    """What an example prints when the stub boards run it."""
    cpp = ["g++", "-std=gnu++17", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-DSKETCH_MAIN",
           f"-I{STUBS}", f"-I{include}", "-include", "Arduino.h", "-x", "c++", source,
           "-x", "none", *objects, "-o", "sketch", "-lm"]  # fmt: skip
    run(cpp, folder)
    return run(["./sketch"], folder)


@pytest.mark.parametrize("target", ["arduino", "platformio"])
@pytest.mark.parametrize("trace", [False, True])
def test_sketches_run(
    digits: Model, five: Sample, target: str, trace: bool, tmp_path: Path
) -> None:
    to_c(digits, tmp_path, target=target, sample=five)
    header = tmp_path / "src" / "net.h"
    if trace:
        text = header.read_text().replace("/* #define NET_TRACE */", "#define NET_TRACE")
        header.write_text(text)
    arduino = target == "arduino"
    test = tmp_path / "examples" / "Test" / ("" if arduino else "src") / "net_test.c"
    run([compiler(), *WARNINGS, "-DARDUINO=100", "-Isrc", "-c", "src/net.c", "src/net_weights.c",
         str(test)], tmp_path)  # fmt: skip
    files = {
        name: f"examples/{name}/{name}.ino" if arduino else f"examples/{name}/src/main.cpp"
        for name in ("Classify", "M5Stack", "Test")
    }
    parts = ["net.o", "net_weights.o"]
    said = sketch(tmp_path, files["Classify"], "src", *parts)
    assert "class 5" in said and ("largest" in said) == trace
    screen = sketch(tmp_path, files["M5Stack"], "src", *parts)
    assert "text class 5" in screen and "outside" not in screen
    assert screen.count("rect 4 4 ") >= 1
    tested = sketch(tmp_path, files["Test"], "src", *parts, "net_test.o")
    assert "all agrees" in tested
    assert all((key in tested) or not trace for key in digits.tensors())


def test_the_screen_shows_the_picture(digits: Model, five: Sample, tmp_path: Path) -> None:
    """Rectangles put together are the stored picture, in grey."""
    to_c(digits, tmp_path, target="arduino", sample=five)
    run([compiler(), "-Isrc", "-c", "src/net.c", "src/net_weights.c"], tmp_path)
    screen = sketch(tmp_path, "examples/M5Stack/M5Stack.ino", "src", "net.o", "net_weights.o")
    sizes = dict(zip(digits.inputs[0].axes, digits.inputs[0].shape, strict=True))
    pixels = sizes["height"] * sizes["width"]
    rows = [list(map(int, line.split()[1:])) for line in screen.splitlines() if "rect" in line]
    drawn = np.array([row[4] for row in rows[:pixels]]) & 0x1F
    wanted = np.squeeze(five.arrays[0]).ravel()
    wanted = (wanted - wanted.min()) / (wanted.max() - wanted.min())
    np.testing.assert_allclose(drawn / 31, wanted, atol=0.05)


def test_a_finger_draws_and_the_network_answers(
    digits: Model, five: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the screen shows after a stroke is what the network was given."""
    to_c(digits, tmp_path, target="arduino", sample=five)
    run([compiler(), "-Isrc", "-c", "src/net.c", "src/net_weights.c"], tmp_path)
    monkeypatch.setenv("TOUCHES", str(tmp_path / "touches"))
    answers = set()
    for stroke in (
        [(60 + n // 3, 12 + n) for n in range(110)],  # a one
        [(25 + n, 20) for n in range(80)] + [(105 - n // 2, 20 + n) for n in range(100)],  # a seven
    ):
        (tmp_path / "touches").write_text("".join(f"{x} {y}\n" for x, y in stroke))
        screen = sketch(tmp_path, "examples/M5Stack/M5Stack.ino", "src", "net.o", "net_weights.o")
        assert "outside" not in screen
        first, last = screen.index("text class 5"), screen.rindex("text class")
        assert first < last  # the stored picture, then what was drawn
        assert screen[first:last].count("rect 4 4 ") >= 2  # cleared, then shown whole
        whole = screen[:last].splitlines()
        start = max(n for n, line in enumerate(whole) if line.startswith("rect 4 4 "))
        shown = [int(line.split()[5]) & 0x1F for line in whole[start : start + 784]]
        picture = np.array(shown, np.float32).reshape(digits.inputs[0].shape) / 31
        assert 20 < (picture > 0.5).sum() < 200
        wanted = int(digits.predict(picture[None])[0].argmax())
        assert screen[last:].startswith(f"text class {wanted}\n")
        answers.add(wanted)
    assert len(answers) == 2


def test_examples_show_the_name_of_the_class(digits: Model, five: Sample, tmp_path: Path) -> None:
    names = [f'no "{number}" ??/ \\n 数' for number in range(10)]
    to_c(digits, tmp_path, target="arduino", sample=five, class_names=names)
    run([compiler(), *WARNINGS, "-Isrc", "-c", "src/net.c", "src/net_weights.c"], tmp_path)
    for example, sign in (("M5Stack", "text "), ("Classify", "")):
        source = f"examples/{example}/{example}.ino"
        said = sketch(tmp_path, source, "src", "net.o", "net_weights.o")
        assert f"{sign}{names[5]}" in said and "class 5" not in said
        assert ("font efontJA_24_b" in said) == (example == "M5Stack")
    with pytest.raises(UsageError, match="2 names for 10 classes"):
        to_c(digits, tmp_path, class_names=["a", "b"])


def test_the_figures_say_for_which_input(digits: Model, tmp_path: Path) -> None:
    report = to_c(digits, tmp_path)
    (tensor,) = digits.inputs
    assert f"for the input    {tensor.name} {tensor.shape}" in str(report)
    assert report.to_json()["inputs"] == {tensor.name: list(tensor.shape)}
    assert max(map(len, str(report).splitlines())) <= 80


def test_the_arduino_library_is_described(digits: Model, tmp_path: Path) -> None:
    to_c(digits, tmp_path, target="arduino", name="digits")
    lines = (tmp_path / "library.properties").read_text().splitlines()
    properties = dict(line.split("=", 1) for line in lines)
    needed = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url",
              "architectures"}  # fmt: skip
    assert needed <= set(properties) and properties["name"] == "digits"
    assert properties["includes"] == "digits.h"


def test_the_platformio_library_is_described(digits: Model, tmp_path: Path) -> None:
    to_c(digits, tmp_path, target="platformio")
    described = json.loads((tmp_path / "library.json").read_text())
    assert described["name"] == "net" and described["headers"] == "net.h"
    for example in described["examples"]:
        for file in example["files"]:
            assert (tmp_path / example["base"] / file).is_file()


def test_the_esp_idf_example_runs(digits: Model, five: Sample, tmp_path: Path) -> None:
    to_c(digits, tmp_path, target="esp-idf", sample=five)
    assert '"net.c" "net_weights.c"' in (tmp_path / "CMakeLists.txt").read_text()
    (tmp_path / "start.c").write_text(
        "void app_main(void);\nint main(void) { app_main(); return 0; }\n"
    )
    main = "examples/classify/main"
    for trace in ([], ["-DNET_TRACE"]):
        run([compiler(), *WARNINGS, *trace, "-DNET_SAY=net_say", "-Iinclude", "-o", "t", "start.c",
             f"{main}/main.c", f"{main}/net_test.c", "net.c", "net_weights.c", "-lm"],
            tmp_path)  # fmt: skip
        assert "class 5, reference 5" in run(["./t"], tmp_path)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_commands_of_the_readme_work(
    digits: Model, five: Sample, tmp_path: Path, lang: str
) -> None:
    for target in TARGETS:
        to_c(digits, tmp_path / target, target=target, sample=five, lang=lang)
        text = (tmp_path / target / "README.md").read_text("utf-8")
        commands = re.findall(r"^    (cc .*)$", text, re.MULTILINE)
        written = "".join(path.read_text() for path in (tmp_path / target).rglob("*.*"))
        assert str(SAMPLE) not in written
        assert len(commands) == 2 and not re.search(r"@\w", text)
        assert ("scaled by 1/255" if lang == "en" else "1/255 倍") in text
        prose = re.sub(r"`[^`]*`|```.*?```|^    .*$", "", text, flags=re.DOTALL | re.MULTILINE)
        assert (lang == "en") == bool(re.search(r"\b(the|of|with|and) [a-z]", prose))
        assert "all agrees" in run(["sh", "-c", commands[1]], tmp_path / target)


# --------------------------------------------------------------------------- figures


def test_the_report_counts(digits: Model, tmp_path: Path) -> None:
    report = to_c(digits, tmp_path)
    assert report.macs == sum(row.macs or 0 for row in digits.summary())
    assert sum(layer.weights for layer in report.layers) == 4 * digits.params
    assert [layer.layer for layer in report.layers] == list(digits.tensors())
    assert max(layer.ram or 0 for layer in report.layers) == report.arena
    assert all(layer.ram != 0 for layer in report.layers)
    data = report.to_json()
    json.dumps(data)
    assert data["flash"] == report.flash and len(data["files"]) == 5
    sizes = run([compiler(), "-DNET_PORTABLE", "-c", "net_weights.c"], tmp_path) or run(
        ["size", "net_weights.o"], tmp_path
    )
    assert report.flash <= int(sizes.splitlines()[1].split()[0]) <= report.flash + 256
    shown = str(report)
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert f"{report.flash:,}" in shown and f"{report.arena:,}" in shown


def test_a_wide_name_stays_in_its_column() -> None:
    from netsheet.write.c.report import LayerFigures

    rows = [LayerFigures(name, "Dense", (3,), 12, 8, 9) for name in HOSTILE]
    text = str(CReport("net", "plain", "x", [], rows, 12, 4, 8))
    wide = [sum(2 if ord(ch) > 0x2E80 else 1 for ch in line) for line in text.splitlines()]
    assert max(wide) <= 80


# --------------------------------------------------------------------------- refusals


def with_opaque() -> Model:
    calls = [
        LayerCall("first", dense("first", 3, 4), (ValueRef("x"),)),
        LayerCall(
            "strange",
            Opaque(name="strange", type_name="Lambda", reason="its code is not run"),
            (ValueRef("first"),),
        ),
        LayerCall("last", Tanh(name="last"), (ValueRef("strange"),)),
    ]  # fmt: skip
    return Model("open", calls, [Source("x", (3,))], [ValueRef("last")])


def test_a_layer_without_c_is_named_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"'strange' \(Lambda\).*--until first"):
        to_c(with_opaque(), tmp_path / "c")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UnsupportedError, match="strange"):
        verify(with_opaque(), "c", [probe(with_opaque())])


def test_the_part_before_it_is_written(tmp_path: Path) -> None:
    report = to_c(with_opaque(), tmp_path, until="first")
    assert [layer.layer for layer in report.layers] == ["first"]
    assert "all agrees" in compiled(tmp_path, "-DNET_TRACE")
    assert verify(with_opaque(), "c", [probe(with_opaque())], until="first").ok


def test_a_lambda_in_a_file_is_refused(shared: Path, tmp_path: Path) -> None:
    model = netsheet.load(shared / "corpus" / "dialects" / "k2_lam.h5")
    with pytest.raises(UnsupportedError, match="lambda"):
        to_c(model, tmp_path / "c")
    assert not list(tmp_path.iterdir())


def test_open_sizes_need_an_input(tmp_path: Path) -> None:
    calls = [LayerCall("d", dense("d", 3, 2), (ValueRef("x"),))]
    model = Model("open", calls, [Source("x", (None, 3))], [ValueRef("d")])
    with pytest.raises(UnsupportedError, match="open sizes"):
        to_c(model, tmp_path / "c")
    values = InputValue(np.ones((5, 3), np.float32))
    sample = Sample("ones", {"x": values})
    to_c(model, tmp_path / "c", sample=sample)
    assert "#define NET_INPUT_SIZE 15" in (tmp_path / "c" / "net.h").read_text()
    assert verify(model, "c", [sample]).ok


def test_wrong_requests(digits: Model, five: Sample, tmp_path: Path) -> None:
    for name in ("2net", "a b", "int", "", "x" * 40, "a-b", "../x", "math", "String"):
        with pytest.raises(UsageError, match="cannot name C functions"):
            to_c(digits, tmp_path / "c", name=name)
    with pytest.raises(UsageError, match="targets are"):
        to_c(digits, tmp_path / "c", target="avr")
    with pytest.raises(UsageError, match="boards are qemu-cortex-m0"):
        verify(digits, "c", [five], board="stm32")
    with pytest.raises(UsageError, match="at least one input"):
        verify(digits, "c", [])
    with pytest.raises(NetsheetError, match="no layer 'nowhere'"):
        to_c(digits, tmp_path / "c", until="nowhere")
    assert not list(tmp_path.iterdir())


def test_no_compiler(digits: Model, five: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(NetsheetError, match="apt install gcc"):
        verify(digits, "c", [five])


def test_all_files_or_none(digits: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "c"
    to_c(digits, folder)
    (folder / "mine.txt").write_text("stays")
    (folder / "net.c").write_text("old")
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    moves, plain = [], Path.replace

    def failing(self: Path, target: Path) -> Path:
        moves.append(target)
        if len(moves) == 5:
            raise OSError(28, "no space left")
        return plain(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(NetsheetError, match="nothing was changed"):
        to_c(digits, folder, target="arduino")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept
    monkeypatch.setattr(Path, "replace", plain)
    to_c(digits, folder)
    assert (folder / "mine.txt").read_text() == "stays"
    assert (folder / "net.c").read_text() != "old"
    assert len(list(folder.iterdir())) == len(kept)


def test_folders_that_cannot_be(digits: Model, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(NetsheetError, match="is a file"):
        to_c(digits, tmp_path / "file")
    with pytest.raises(NetsheetError, match="cannot be written"):
        to_c(digits, tmp_path / "file" / "where")
    to_c(digits, tmp_path / "no" / "where")
    assert (tmp_path / "no" / "where" / "net.h").is_file()
    (tmp_path / "c" / "net.h").mkdir(parents=True)
    with pytest.raises(NetsheetError, match="nothing was changed"):
        to_c(digits, tmp_path / "c")
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["net.h"]


def test_files_of_somebody_else_stay(digits: Model, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("My project")
    with pytest.raises(NetsheetError, match=r"has a README\.md"):
        to_c(digits, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert readme.read_text() == "My project"


def test_an_input_that_is_no_number(tmp_path: Path) -> None:
    """NaN and infinities flow through as they do in the reference."""
    calls = [LayerCall("t", Tanh(name="t"), (ValueRef("x"),))]
    model = Model("odd", calls, [Source("x", (4,))], [ValueRef("t")])
    values = np.array([np.nan, np.inf, -np.inf, 0.5], np.float32)
    sample = Sample("odd", {"x": InputValue(values)})
    for target in TARGETS:
        to_c(model, tmp_path / target, target=target, sample=sample)
    assert "all agrees" in compiled(tmp_path / "plain", "-DNET_TRACE")
    assert verify(model, "c", [sample]).ok


# --------------------------------------------------------------------------- commands


def command(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = warm_start.netsheet(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_the_command_writes_and_reports(tmp_path: Path) -> None:
    network, digit = SAMPLE / "digits.h5", SAMPLE / "digit5.png"
    options = [network, "--input", digit, "-o", tmp_path / "c", "--name", "five"]
    done = command("c", *options)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "MACs" in done.stdout and "scaled by 1/255" in done.stderr
    assert "class 5, reference 5" in compiled(tmp_path / "c", program="five")
    report = json.loads(command("c", *options, "--json").stdout)
    assert report["name"] == "five" and report["flash"] > 0


def test_the_command_proves() -> None:
    network, digit = SAMPLE / "digits.h5", SAMPLE / "digit5.png"
    done = command("verify", network, "--target", "c", "--input", digit, "--json")
    verdict = json.loads(done.stdout)
    assert verdict["ok"] and verdict["target"] == "c"
    assert all(layer["max_abs"] < 1e-5 for layer in verdict["layers"])


def test_the_command_refuses(shared: Path, tmp_path: Path) -> None:
    network, digit = SAMPLE / "digits.h5", SAMPLE / "digit5.png"
    twice = ["--input", digit, "--input", digit]
    command("c", network, *twice, "-o", tmp_path / "c", code=2)
    command("c", network, "--target", "avr", "-o", tmp_path / "c", code=2)
    command("verify", network, "--target", "c", "--board", "pdp11", code=2)
    command("verify", network, "--target", "onnx", "--sanitize", code=2)
    closed = shared / "corpus" / "dialects" / "k2_lam.h5"
    done = command("c", closed, "-o", tmp_path / "c", code=1)
    assert "lambda" in done.stderr and not list(tmp_path.iterdir())
