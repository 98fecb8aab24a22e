"""Which files a library has: plain, or as Arduino, ESP-IDF and PlatformIO expect them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from netsheet.data.inputs import Sample
from netsheet.equations import FloatArray
from netsheet.write.c.library import Library, files
from netsheet.write.c.names import comment
from netsheet.write.c.readme import readme
from netsheet.write.c.report import CReport
from netsheet.write.c.sketches import CLASSIFY, IDF_MAIN, M5STACK, TEST, filled, sample_header
from netsheet.write.c.test_program import program_text

VERSION = "1.0.0"  # of the library that is written


def package(
    lib: Library,
    target: str,
    sample: Sample,
    reference: Mapping[str, FloatArray],
    report: CReport,
) -> dict[str, str]:
    """The texts of all files by their paths; ``reference`` has every layer and output by name."""
    code = files(lib)
    test = program_text(lib, sample, reference)
    made = {"README.md": readme(lib, target, sample, report)}
    if target == "plain":
        return {**code, f"{lib.name}_test.c": test, **made}
    given = sample_header(lib, sample)
    if target == "arduino":
        return made | _arduino(lib, code, given, test, sample)
    if target == "platformio":
        return made | _platformio(lib, code, given, test, sample)
    return made | _esp_idf(lib, code, given, test, sample)


def _sources(lib: Library, code: Mapping[str, str], given: str) -> dict[str, str]:
    return {f"src/{name}": text for name, text in code.items()} | {
        f"src/{lib.name}_sample.h": given
    }


def _arduino(
    lib: Library, code: Mapping[str, str], given: str, test: str, sample: Sample
) -> dict[str, str]:
    properties = [
        f"name={lib.name}",
        f"version={VERSION}",
        "author=netsheet",
        "maintainer=netsheet",
        f"sentence={_plain(lib.model.name)}: a neural network in C99.",
        "paragraph=Weights in flash, one static arena, needs math.h only. "
        "int has to have 32 bits: not for AVR.",
        "category=Data Processing",
        "url=README.md",
        "architectures=*",
        f"includes={lib.name}.h",
    ]
    return _sources(lib, code, given) | {
        "library.properties": "\n".join(properties) + "\n",
        "keywords.txt": f"{lib.name}_run\tKEYWORD2\n{lib.name}_run_arena\tKEYWORD2\n",
        "examples/Classify/Classify.ino": filled(CLASSIFY, lib, sample),
        "examples/M5Stack/M5Stack.ino": filled(M5STACK, lib, sample),
        "examples/Test/Test.ino": filled(TEST, lib, sample),
        f"examples/Test/{lib.name}_test.c": test,
    }


PLATFORMIO_INI = """; Open this folder in PlatformIO; other boards need another platform and board.
[env:m5stack]
platform = espressif32
board = m5stack-core-esp32
framework = arduino
monitor_speed = 115200
lib_deps =
    symlink://../..
"""


def _platformio(
    lib: Library, code: Mapping[str, str], given: str, test: str, sample: Sample
) -> dict[str, str]:
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
    for name, text in zip(names, (CLASSIFY, M5STACK, TEST), strict=True):
        screen = "    m5stack/M5Unified\n" if name == "M5Stack" else ""
        result[f"examples/{name}/platformio.ini"] = PLATFORMIO_INI + screen
        result[f"examples/{name}/src/main.cpp"] = filled(text, lib, sample)
    return result


IDF_CMAKE = """idf_component_register(SRCS "@lib.c" "@lib_weights.c" INCLUDE_DIRS "include")
target_compile_options(${COMPONENT_LIB} PRIVATE -O2)

# idf.py -D@LIB_TRACE=1 build: every layer is shown
if(@LIB_TRACE)
    target_compile_definitions(${COMPONENT_LIB} PUBLIC @LIB_TRACE)
endif()
"""

IDF_PROJECT = """cmake_minimum_required(VERSION 3.16)
include($ENV{IDF_PATH}/tools/cmake/project.cmake)
project(@lib_classify)
"""

IDF_EXAMPLE = """idf_component_register(SRCS "main.c" "@lib_test.c")
target_compile_definitions(${COMPONENT_LIB} PRIVATE @LIB_SAY=@lib_say)
"""

IDF_DEPENDENCIES = """dependencies:
  @lib:
    version: "*"
    override_path: "../../../"
"""


def _esp_idf(
    lib: Library, code: Mapping[str, str], given: str, test: str, sample: Sample
) -> dict[str, str]:
    about = json.dumps(f"{_plain(lib.model.name)}: a neural network in C99", ensure_ascii=False)
    return {
        f"include/{lib.name}.h": code[f"{lib.name}.h"],
        f"include/{lib.name}_sample.h": given,
        f"{lib.name}.c": code[f"{lib.name}.c"],
        f"{lib.name}_weights.c": code[f"{lib.name}_weights.c"],
        "CMakeLists.txt": filled(IDF_CMAKE, lib, sample),
        "idf_component.yml": f'version: "{VERSION}"\ndescription: {about}\n',
        "examples/classify/CMakeLists.txt": filled(IDF_PROJECT, lib, sample),
        "examples/classify/main/CMakeLists.txt": filled(IDF_EXAMPLE, lib, sample),
        "examples/classify/main/idf_component.yml": filled(IDF_DEPENDENCIES, lib, sample),
        "examples/classify/main/main.c": filled(IDF_MAIN, lib, sample),
        f"examples/classify/main/{lib.name}_test.c": test,
    }


def _plain(text: str) -> str:
    """One line without what a properties file could read as more."""
    return " ".join(comment(text).split()) or "a model"
