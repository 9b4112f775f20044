#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pickles for the tests of pipelines/pkl2json.py.

usage: pickles.py good SCRIPT           converts what it can and compares the meaning
       pickles.py bad SCRIPT MARKER     converts what it must refuse; malicious pickles would make the file MARKER
       pickles.py golden SCRIPT FOLDER  converts every pickle below the folder and compares it with the JSON beside it
       pickles.py write DIR NAME...     writes single pickles as NAME.pkl
       pickles.py large FILE            ground truth of 20000 videos as NumPy writes it
"""
import collections
import glob
import importlib.util
import json
import math
import os
import pickle
import resource
import struct
import sys
import types

# -- NumPy's classes as far as their pickles go --


def module(name):
    sys.modules.setdefault(name, types.ModuleType(name))
    return sys.modules[name]


def place(module_name, thing, name=None):
    """Makes `thing` picklable as module_name.name."""
    thing.__module__, thing.__qualname__ = module_name, name or thing.__name__
    thing.__name__ = thing.__qualname__
    setattr(module(module_name), thing.__name__, thing)
    return thing


class dtype:
    def __init__(self, code, *_):
        self.code = code

    def __reduce__(self):
        order = self.code[:1] if self.code[:1] in "<>|" else "<"
        state = (3, order, None, None, None, -1, -1, 0)
        return dtype, (self.code.lstrip("<>|"), False, True), state


class ndarray:
    def __init__(self, shape, code, raw, fortran=False):
        self.state = (1, shape, dtype(code), fortran, raw)

    def __reduce__(self):
        return _reconstruct, (ndarray, (0,), b"b"), self.state


class buffered(ndarray):
    """As protocol 5 writes it."""

    def __reduce_ex__(self, protocol):
        if protocol < 5:
            return self.__reduce__()
        _, shape, kind, fortran, raw = self.state
        return _frombuffer, (bytearray(raw), kind, shape, "F" if fortran else "C")


class number:
    def __init__(self, code, raw):
        self.arguments = dtype(code), raw

    def __reduce__(self):
        return scalar, self.arguments


def scalar(*_):
    raise AssertionError


def _reconstruct(*_):
    raise AssertionError


def _frombuffer(*_):
    raise AssertionError


class Dictionary:
    def __init__(self):
        self.symbols, self.indices = ["<s>", "run.01"], {"<s>": 0, "run.01": 1}


def install(core):
    for name in ("numpy", core, f"{core}.multiarray", f"{core}.numeric", "fairseq", "fairseq.data",
                 "fairseq.data.dictionary"):
        module(name)
    place("numpy", dtype)
    place("numpy", ndarray)
    place(f"{core}.multiarray", scalar)
    place(f"{core}.multiarray", _reconstruct)
    place(f"{core}.numeric", _frombuffer)
    place("fairseq.data.dictionary", Dictionary)


def f8(*values):
    return struct.pack(f"<{len(values)}d", *values)


def good_cases():
    yield "plain", {"a": [1, 2.5, -3, 2**70, -2**40, True, None, "\u00e9\u2026\U0001f600", (), ("x", [{}])], "b": {}}
    yield "not_finite", [math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1]
    yield "number_keys", {1: "a", -2: "b"}
    yield "dictionary", Dictionary()
    shared = [0.25]
    yield "shared", {"a": shared, "b": [shared, shared]}


def numpy_cases():
    yield "float64", number("f8", f8(0.1)), 0.1
    yield "float32", number("f4", struct.pack("<f", 0.1)), struct.unpack("<f", struct.pack("<f", 0.1))[0]
    yield "big_endian", number(">i4", struct.pack(">i", -7)), -7
    yield "bool", number("b1", b"\x01"), True
    yield "array", ndarray((2, 3), "f8", f8(0, 1, 2, 3, 4, 5)), [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    yield "fortran", ndarray((2, 3), "f8", f8(0, 1, 2, 3, 4, 5), True), [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]
    yield "empty", ndarray((0, 5), "f8", b""), []
    yield "no_axis", ndarray((), "f8", f8(2)), 2.0
    yield "objects", ndarray((2,), "O8", ["a", [1]]), ["a", [1]]
    yield "buffer", buffered((3,), "f4", struct.pack("<3f", 1, 2, 3)), [1.0, 2.0, 3.0]


def plain(value):
    return vars(value) if isinstance(value, Dictionary) else value


def good_pickles():
    """Name, pickle, and the JSON it means."""
    for core in ("numpy.core", "numpy._core"):
        install(core)
        cases = [(name, value, plain(value)) for name, value in good_cases()] + list(numpy_cases())
        for name, value, meaning in cases:
            for protocol in range(2, 6):
                yield f"{core}.{name}.{protocol}", pickle.dumps(value, protocol), json.dumps(meaning)
    # Text of Python 2, and the bytes of its arrays.
    yield "python2", b"\x80\x02]q\x00(U\x03a\xe9bT\x02\x00\x00\x00xyK\x01e.", '["a\\u00e9b", "xy", 1]'


# -- what must be refused --


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def short(text):
    return b"\x8c" + bytes([len(text)]) + text.encode()


def bad_cases(marker):
    command = f"touch {marker}"
    for protocol in range(2, 6):
        yield f"system.{protocol}", pickle.dumps({"a": Evil(os.system, command)}, protocol)
        yield f"eval.{protocol}", pickle.dumps(Evil(eval, f"open({marker!r}, 'w')"), protocol)
        yield f"exec.{protocol}", pickle.dumps([Evil(exec, f"open({marker!r}, 'w')")], protocol)
        yield f"open.{protocol}", pickle.dumps(Evil(open, marker, "w"), protocol)
        yield f"counter.{protocol}", pickle.dumps(collections.Counter("aab"), protocol)
        yield f"set.{protocol}", pickle.dumps({1, 2}, protocol)
        yield f"bytes.{protocol}", pickle.dumps({"a": [b"x"]}, protocol)
        yield f"key.{protocol}", pickle.dumps({("a", 1): 1}, protocol)
        yield f"same_key.{protocol}", pickle.dumps({"1": 1, 1: 1}, protocol)
        yield f"complex.{protocol}", pickle.dumps(1j, protocol)
    yield "zero", pickle.dumps([1], 0)
    yield "one", pickle.dumps([1], 1)
    yield "six", b"\x80\x06N."
    yield "empty", b""
    yield "text", b'{"a": [1]}'
    yield "cut", pickle.dumps({"a": [1.0] * 50}, 4)[:-20]
    yield "behind", pickle.dumps([1], 4) + b"x"
    yield "two", pickle.dumps([1], 4) * 2
    # Names that only look right, or lead on from what is allowed.
    yield "dotted", b"\x80\x04" + short("numpy") + short("dtype.__init__.__globals__") + b"\x93."
    yield "other_module", b"\x80\x04" + short("numpy.core") + short("scalar") + b"\x93."
    yield "not_text", b"\x80\x04K\x01K\x02\x93."
    yield "encode", b"\x80\x04" + short("_codecs") + short("encode") + b"\x93" + short("x") + short("rot13") + b"\x86R."
    yield "long_name", b"\x80\x04" + short("os") + b"X" + struct.pack("<I", 5000) + b"x" * 5000 + b"\x93."
    yield "lines_in_name", b"\x80\x04" + short("os") + short("a\nb\x1b[2J") + b"\x93."
    yield "import", b"\x80\x02cantigravity\nfly\n."
    # Changing the stand-ins: attributes of a class, through both forms of BUILD.
    yield "class_attribute", b"\x80\x04" + short("numpy") + short("dtype") + b"\x93}" + short("x") + b"K\x01sb."
    yield "class_slot", b"\x80\x04" + short("_codecs") + short("encode") + b"\x93N}" + short("x") + b"K\x01s\x86b."
    # Old opcodes, extensions, persistent ids, buffers from outside.
    yield "inst", b"\x80\x02(" + f"S'{command}'\n".encode() + b"ios\nsystem\n."
    yield "object", b"\x80\x02(cos\nsystem\n" + f"S'{command}'\n".encode() + b"o."
    yield "extension", b"\x80\x02\x82\x01."
    yield "persistent", b"\x80\x02K\x01Q."
    yield "next_buffer", b"\x80\x05\x97."
    # Sizes that are not there.
    yield "huge_bytes", b"\x80\x03B\xff\xff\xff\x7fx."
    yield "huge_bytes8", b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x."
    yield "negative_bytes8", b"\x80\x04\x8e" + struct.pack("<Q", 2**64 - 1) + b"x."
    yield "huge_bytearray", b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x."
    yield "huge_text", b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"x."
    yield "huge_string", b"\x80\x02T\xff\xff\xff\x7fx."
    yield "huge_frame", b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"N."
    yield "huge_memo", b"\x80\x02]r\xff\xff\xff\xff."
    yield "no_memo", b"\x80\x02h\x05."
    yield "no_stack", b"\x80\x02\x85."
    yield "no_mark", b"\x80\x02]N]e."
    # Structures without end.
    circle = []
    circle.append(circle)
    yield "circle", pickle.dumps(circle, 4)
    bomb = []
    for _ in range(60):
        bomb = [bomb, bomb]
    yield "bomb", pickle.dumps(bomb, 4)
    yield "deep", b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b"."
    yield "deep_tuple", b"\x80\x02N" + b"\x85" * 100000 + b"."
    install("numpy.core")
    many = ndarray((10**9, 0), "f8", b"")
    yield "empty_rows", pickle.dumps(many, 4)
    yield "many_axes", pickle.dumps(ndarray((1,) * 100, "f8", f8(1)), 4)
    # Arrays that do not hold what they say.
    yield "short_array", pickle.dumps(ndarray((3,), "f8", f8(1, 2)), 4)
    yield "negative_array", pickle.dumps(ndarray((-2, -1), "f8", f8(1, 2)), 4)
    yield "odd_bytes", pickle.dumps(ndarray((1,), "f8", b"1234567"), 4)
    yield "dates", pickle.dumps(ndarray((1,), "M8", f8(1)), 4)
    yield "strings", pickle.dumps(ndarray((1,), "S8", f8(1)), 4)
    yield "no_objects", pickle.dumps(ndarray((1,), "O8", b"x"), 4)
    yield "no_number", pickle.dumps(number("f8", b""), 4)
    yield "two_numbers", pickle.dumps(number("f8", f8(1, 2)), 4)


# -- checking --


def converter(script):
    spec = importlib.util.spec_from_file_location("pkl2json", script)
    pkl2json = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pkl2json)
    return pkl2json


def check_good(script):
    convert, n = converter(script).to_plain, 0
    for name, data, meaning in good_pickles():
        assert json.dumps(convert(data)) == meaning, name
        n += 1
    print(n, "pickles")


def check_bad(script, marker):
    pkl2json, n = converter(script), 0
    cases = list(bad_cases(marker))
    # 4 GiB are plenty for an honest pickle of this size.
    resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))
    for name, data in cases:
        try:
            value = pkl2json.to_plain(data)
        except pkl2json.Refused as refused:
            assert str(refused).isprintable() and len(str(refused)) < 310, name
        else:
            sys.exit(f"{name} was taken as {str(value)[:100]}")
        assert not os.path.exists(marker), name
        n += 1
    print(n, "pickles")


def write(folder, *names):
    known = {name: data for name, data, _ in good_pickles()} | dict(bad_cases("marker"))
    for name in names:
        with open(os.path.join(folder, name + ".pkl"), "wb") as file:
            file.write(known[name])


# -- the pickles of the official code --

JSON_OF = {
    "k400_val_raw_annotation.pkl": "raw.json",
    "k400_mr345_val_min_change_duration0.3.pkl": "expected.json",
}


def check_golden(script, folder):
    convert, n = converter(script).to_plain, 0
    for path in sorted(glob.glob(os.path.join(folder, "**", "*.pkl"), recursive=True)):
        name = os.path.basename(path)
        beside = os.path.join(os.path.dirname(path), JSON_OF.get(name, name[:-4] + ".json"))
        with open(path, "rb") as file, open(beside, encoding="utf-8") as expected:
            assert json.dumps(convert(file.read())) == json.dumps(json.load(expected)), path
        n += 1
    print(n, "pickles")
    sys.exit(n == 0)


def write_large(path):
    install("numpy.core")
    frames = lambda i: [[number("f8", f8(float(k * 50 + i % 7 + r))) for k in range(5)] for r in range(5)]
    times = lambda i: [[(k * 50 + i % 7 + r) / 25 for k in range(5)] for r in range(5)]
    truth = {f"{i:011}": {"num_frames": 250, "fps": 25.0, "video_duration": 10.0, "f1_consis": [0.5] * 5,
                          "f1_consis_avg": 0.5, "path_frame": f"abseiling/{i:011}_000000_000010",
                          "substages_myframeidx": frames(i), "substages_timestamps": times(i)}
             for i in range(20000)}
    with open(path, "wb") as file:
        pickle.dump(truth, file, 4)


def main(command, *arguments):
    {"good": check_good, "bad": check_bad, "golden": check_golden, "write": write, "large": write_large}[command](
        *arguments)


main(*sys.argv[1:])
