"""Which files a library has: plain, or as Arduino, ESP-IDF and PlatformIO expect them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from netsheet.data.inputs import Sample
from netsheet.equations import FloatArray
from netsheet.write.c.folder import Content
from netsheet.write.c.library import Library
from netsheet.write.c.names import comment
from netsheet.write.c.readme import readme
from netsheet.write.c.report import CReport
from netsheet.write.c.sketches import sample_header, sketch
from netsheet.write.c.sources import files
from netsheet.write.c.template import template
from netsheet.write.c.test_program import program_text

VERSION = "1.0.0"  # of the library that is written


def package(
    lib: Library,
    target: str,
    sample: Sample,
    reference: Mapping[str, FloatArray],
    report: CReport,
    lang: str = "en",
) -> dict[str, Content]:
    """The texts of all files by their paths; ``reference`` has every layer and output by name.

    ``lang`` is that of the README.
    """
    code = files(lib)
    test = program_text(lib, sample, reference)
    made = {"README.md": readme(lib, target, sample, report, lang)}
    if target == "plain":
        return {**code, f"{lib.name}_test.c": test, **made}
    given = sample_header(lib, sample)
    if target == "arduino":
        return made | _arduino(lib, code, given, test, sample)
    if target == "platformio":
        return made | _platformio(lib, code, given, test, sample)
    return made | _esp_idf(lib, code, given, test, sample)


def _sources(lib: Library, code: Mapping[str, Content], given: str) -> dict[str, Content]:
    return {f"src/{name}": text for name, text in code.items()} | {
        f"src/{lib.name}_sample.h": given
    }


def _arduino(
    lib: Library, code: Mapping[str, Content], given: str, test: str, sample: Sample
) -> dict[str, Content]:
    properties = [
        f"name={lib.name}",
        f"version={VERSION}",
        "author=netsheet",
        "maintainer=netsheet",
        f"sentence={_plain(lib.model.name)}: a neural network in C99.",
        "paragraph=Weights in flash, one static arena, needs math.h only. "
        "Weights stay in program memory on an AVR too.",
        "category=Data Processing",
        "url=README.md",
        "architectures=*",
        f"includes={lib.name}.h",
    ]
    return _sources(lib, code, given) | {
        "library.properties": "\n".join(properties) + "\n",
        "keywords.txt": f"{lib.name}_run\tKEYWORD2\n{lib.name}_run_arena\tKEYWORD2\n",
        "examples/Classify/Classify.ino": sketch("classify.ino", lib, sample),
        "examples/M5Stack/M5Stack.ino": sketch("m5stack.ino", lib, sample),
        "examples/Test/Test.ino": sketch("test.ino", lib, sample),
        f"examples/Test/{lib.name}_test.c": test,
    }


def _platformio(
    lib: Library, code: Mapping[str, Content], given: str, test: str, sample: Sample
) -> dict[str, Content]:
    names = ("Classify", "M5Stack", "Test")
    description = {
        "name": lib.name,
        "version": VERSION,
        "description": f"{_plain(lib.model.name)}: a neural network in C99, written by netsheet",
        "keywords": ["neural network", "inference"],
        "frameworks": "*",
        "platforms": "*",
        "headers": f"{lib.name}.h",
        "build": {"flags": ["-O2"]},
        "examples": [
            {"name": name, "base": f"examples/{name}", "files": ["platformio.ini", "src/main.cpp"]}
            for name in names
        ],
    }
    result = _sources(lib, code, given) | {
        "library.json": json.dumps(description, ensure_ascii=False, indent=2) + "\n",
        f"examples/Test/src/{lib.name}_test.c": test,
    }
    for name in names:
        screen = "    m5stack/M5Unified\n" if name == "M5Stack" else ""
        result[f"examples/{name}/platformio.ini"] = template("platformio.ini") + screen
        result[f"examples/{name}/src/main.cpp"] = sketch(f"{name.lower()}.ino", lib, sample)
    return result


def _esp_idf(
    lib: Library, code: Mapping[str, Content], given: str, test: str, sample: Sample
) -> dict[str, Content]:
    about = json.dumps(f"{_plain(lib.model.name)}: a neural network in C99", ensure_ascii=False)
    return {
        f"include/{lib.name}.h": code[f"{lib.name}.h"],
        f"include/{lib.name}_sample.h": given,
        f"{lib.name}.c": code[f"{lib.name}.c"],
        f"{lib.name}_weights.c": code[f"{lib.name}_weights.c"],
        **{name: text for name, text in code.items() if name == f"{lib.name}_learn.c"},
        "CMakeLists.txt": sketch("esp_idf_component.txt", lib, sample),
        "idf_component.yml": f'version: "{VERSION}"\ndescription: {about}\n',
        "examples/classify/CMakeLists.txt": sketch("esp_idf_project.txt", lib, sample),
        "examples/classify/main/CMakeLists.txt": sketch("esp_idf_example.txt", lib, sample),
        "examples/classify/main/idf_component.yml": sketch("esp_idf_dependencies.yml", lib, sample),
        "examples/classify/main/main.c": sketch("esp_idf_main.c", lib, sample),
        f"examples/classify/main/{lib.name}_test.c": test,
    }


def _plain(text: str) -> str:
    """One line without what a properties file could read as more."""
    return " ".join(comment(text).split()) or "a model"
