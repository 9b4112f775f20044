#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Converts the pickles that data sets come in to JSON, and runs nothing of what is in them.

A pickle is a program: loading one with Python's pickle module runs whatever its author wanted. This script first reads
it as data, opcode by opcode, and then takes no more than numbers, text, lists, dictionaries, arrays and scalars of
NumPy, and dictionaries of fairseq. Anything else is refused with its name. NumPy is not needed.

Arrays become nested lists, float32 numbers the float64 of the same value, NaN and infinities the bare tokens that
Python's json module writes. Pickles of protocol 2 to 5 are read, those of Python 2 too.
"""
import argparse
import io
import json
import os
import pickle
import pickletools
import secrets
import struct
import sys

MAX_DEPTH = 64  # of lists in lists; what JSON readers take
OPCODES = frozenset(
    "PROTO STOP FRAME MARK MEMOIZE BINPUT LONG_BINPUT BINGET LONG_BINGET NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 "
    "LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 "
    "BYTEARRAY8 EMPTY_LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT SETITEM SETITEMS GLOBAL "
    "STACK_GLOBAL REDUCE NEWOBJ BUILD".split())


class Refused(Exception):
    """Something that has no place in JSON; `path` leads to it."""

    def __init__(self, why):
        super().__init__(why)
        self.path = []

    def __str__(self):
        """One short line, whatever the pickle's names hold."""
        place = "".join(f"[{key!r}]" for key in reversed(self.path))
        text = f"{self.args[0]} at {place}" if place else self.args[0]
        text = "".join(c if c.isprintable() else "?" for c in text[:300])
        return text + "..." * (len(text) == 300)


# -- what stands for the classes and functions that a pickle may name --

class Sealed(type):
    """A class that no pickle can change: BUILD sets attributes of whatever it is given."""

    def __setattr__(cls, name, value):
        raise Refused(f"a change of {cls.__name__}")


class Dtype(metaclass=Sealed):
    """numpy.dtype of numbers, and of objects."""
    __slots__ = ("code", "order")
    FORMATS = {"b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
               "f2": "e", "f4": "f", "f8": "d", "O8": "O", "O4": "O", "O": "O"}

    def __init__(self, code, *_):
        if not isinstance(code, str) or code not in self.FORMATS:
            raise Refused(f"an array of type {code!r}")
        self.code = self.FORMATS[code]
        self.order = "<"

    def __setstate__(self, state):
        if not isinstance(state, tuple) or len(state) < 4 or state[1] not in ("<", ">", "|", "=") or state[3]:
            raise Refused("an array with named columns")
        self.order = ">" if state[1] == ">" else "<"

    def unpack(self, raw):
        """All numbers of `raw`; an array of objects has them in a list already."""
        if self.code == "O":
            if not isinstance(raw, list):
                raise Refused("an array of objects without its list")
            return raw
        if isinstance(raw, str):  # bytes of Python 2
            raw = raw.encode("latin1")
        if not isinstance(raw, (bytes, bytearray)) or len(raw) % struct.calcsize("=" + self.code):
            raise Refused("an array whose bytes are no numbers")
        return struct.unpack(f"{self.order}{len(raw) // struct.calcsize('=' + self.code)}{self.code}", raw)


class Array(metaclass=Sealed):
    """numpy.ndarray."""
    __slots__ = ("shape", "fortran", "numbers")

    def __init__(self, *_):
        self.fill((0,), Dtype("f8"), False, b"")

    def __setstate__(self, state):
        if not isinstance(state, tuple) or len(state) != 5:
            raise Refused("an array in an unknown form")
        self.fill(*state[1:])

    def fill(self, shape, dtype, fortran, raw):
        if not isinstance(dtype, Dtype) or not isinstance(shape, tuple) or \
                not all(type(n) is int and n >= 0 for n in shape):
            raise Refused("an array without type or shape")
        n = 1
        for side in shape:
            n *= side
        self.numbers = dtype.unpack(raw)
        if len(self.numbers) != n:
            raise Refused(f"an array of shape {shape} with {len(self.numbers)} numbers")
        self.shape, self.fortran = shape, bool(fortran)

    def steps(self):
        """How far apart neighbours along each axis are."""
        axes = range(len(self.shape))
        steps, step = [0] * len(self.shape), 1
        for axis in axes if self.fortran else reversed(axes):
            steps[axis] = step
            step *= self.shape[axis]
        return steps


class Reconstruct(metaclass=Sealed):
    """numpy.core.multiarray._reconstruct(ndarray, (0,), b"b"), filled by what follows."""

    def __new__(cls, kind, *_):
        if kind is not Array:
            raise Refused("an array of a class of its own")
        return Array()


class FromBuffer(metaclass=Sealed):
    """numpy.core.numeric._frombuffer(bytes, dtype, shape, order)."""

    def __new__(cls, raw, dtype, shape, order):
        array = Array()
        array.fill(shape, dtype, order == "F", raw)
        return array


class Scalar(metaclass=Sealed):
    """numpy.core.multiarray.scalar(dtype, bytes): the number itself."""

    def __new__(cls, dtype, raw):
        numbers = dtype.unpack(raw) if isinstance(dtype, Dtype) and dtype.code != "O" else ()
        if len(numbers) != 1:
            raise Refused("a scalar that is no number")
        return numbers[0]


class Encode(metaclass=Sealed):
    """_codecs.encode(text, "latin1"): how protocol 2 writes bytes."""

    def __new__(cls, text, encoding="utf-8"):
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise Refused(f"text encoded as {encoding!r}")
        return text.encode("latin1")


class EmptyBytes(metaclass=Sealed):
    """bytes(): how protocol 2 writes that there are none."""

    def __new__(cls, *arguments):
        if arguments:
            raise Refused("bytes made of something")
        return b""


class Attributes(metaclass=Sealed):
    """An object of which its attributes are all."""
    __slots__ = ("state",)

    def __init__(self):
        self.state = {}

    def __setstate__(self, state):
        if not isinstance(state, dict):
            raise Refused("an object without attributes")
        self.state = state


GLOBALS = {
    ("numpy", "dtype"): Dtype,
    ("numpy", "ndarray"): Array,
    ("numpy.core.multiarray", "_reconstruct"): Reconstruct,
    ("numpy.core.multiarray", "scalar"): Scalar,
    ("numpy.core.numeric", "_frombuffer"): FromBuffer,
    ("_codecs", "encode"): Encode,
    ("__builtin__", "bytes"): EmptyBytes,
    ("builtins", "bytes"): EmptyBytes,
    ("fairseq.data.dictionary", "Dictionary"): Attributes,
}


def find_global(module, name):
    known = GLOBALS.get((module.replace("numpy._core.", "numpy.core."), name))
    if known is None:
        raise Refused(f"{module}.{name} is not allowed")
    return known


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        return find_global(module, name)

    def persistent_load(self, pid):
        raise Refused("a reference to something outside")


# -- from bytes to values --

def check_opcodes(data):
    """Reads the pickle as data: known opcodes only, everything they announce is there, nothing follows."""
    n = 0
    stream = io.BytesIO(data)
    for opcode, argument, position in pickletools.genops(stream):
        if n == 0 and (opcode.name != "PROTO" or not 2 <= argument <= 5):
            raise Refused("not a pickle of protocol 2 to 5")
        if opcode.name not in OPCODES:
            raise Refused(f"the opcode {opcode.name} at byte {position} is not allowed")
        if opcode.name == "GLOBAL":
            find_global(*argument.split(" ", 1))
        if opcode.name == "LONG_BINPUT" and argument > n:
            raise Refused(f"the memo has no place {argument} at byte {position}")
        n += 1
    if stream.tell() != len(data):
        raise Refused(f"{len(data) - stream.tell()} bytes behind the end of the pickle")


def load(data):
    try:
        check_opcodes(data)
        return Unpickler(io.BytesIO(data), encoding="latin1").load()
    except Refused:
        raise
    except Exception as error:  # whatever the unpickler stumbles over: it is damaged
        raise Refused(f"damaged: {error or type(error).__name__}") from error


# -- from values to what JSON has --

class Converter:
    PLAIN = frozenset((float, int, str, bool, type(None)))

    def __init__(self, budget):
        self.budget = budget  # values: one that is referred to again and again grows without bound

    def spend(self, n):
        self.budget -= n
        if self.budget < 0:
            raise Refused("the same values over and over, more than the file could hold")

    def convert(self, value, depth=0):
        kind = type(value)
        if kind in self.PLAIN:
            return value
        if depth > MAX_DEPTH:
            raise Refused(f"lists in lists, deeper than {MAX_DEPTH}")
        if kind in (list, tuple):
            return self.convert_list(value, depth)
        if kind is dict:
            return self.convert_dict(value, depth)
        if kind is Array:
            return self.convert_array(value, 0, 0, depth)
        if kind is Attributes:
            return self.convert_dict(value.state, depth)
        raise Refused(f"a value of type {kind.__name__}")

    def convert_list(self, values, depth):
        self.spend(len(values) + 1)
        out = []
        for i, value in enumerate(values):
            try:
                out.append(value if type(value) in self.PLAIN else self.convert(value, depth + 1))
            except Refused as error:
                error.path.append(i)
                raise
        return out

    def convert_dict(self, values, depth):
        self.spend(len(values) + 1)
        out = {}
        for key, value in values.items():
            name = str(key) if type(key) is int else key
            try:
                if type(name) is not str or name in out:
                    raise Refused("a key that is no text, or occurs twice as text,")
                out[name] = value if type(value) in self.PLAIN else self.convert(value, depth + 1)
            except Refused as error:
                error.path.append(key)
                raise
        return out

    def convert_array(self, array, axis, offset, depth):
        """Nested lists of what lies behind `offset` along the axes from `axis` on."""
        if axis == len(array.shape):
            return self.convert(array.numbers[offset], depth)
        if depth + axis > MAX_DEPTH:
            raise Refused(f"lists in lists, deeper than {MAX_DEPTH}")
        n, step = array.shape[axis], array.steps()[axis]
        self.spend(n + 1)
        return [self.convert_array(array, axis + 1, offset + i * step, depth) for i in range(n)]


def to_plain(data):
    return Converter(8 * len(data) + 1000000).convert(load(data))


# -- files --

def dump(file, value):
    json.dump(value, file)
    file.write("\n")
    file.flush()


def write(path, value):
    """The file appears whole or not at all; pipes and devices are written directly."""
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "w", encoding="ascii") as file:
            dump(file, value)
        return
    target = f"{path}.{secrets.token_hex(4)}.tmp"
    with open(target, "x", encoding="ascii") as file:
        try:
            dump(file, value)
            os.fsync(file.fileno())
            os.replace(target, path)
        except BaseException:
            os.unlink(target)
            raise


def main():
    what, more = __doc__.split("\n\n", 1)
    parser = argparse.ArgumentParser(description=what, epilog=more,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pickle", metavar="FILE", help="pickle to read")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="JSON to write")
    options = parser.parse_args()
    try:
        with open(options.pickle, "rb") as file:
            value = to_plain(file.read())
        write(options.output, value)
    except Refused as error:
        sys.exit(f"pkl2json.py: error: {options.pickle}: {error}")
    except (OSError, ValueError) as error:
        sys.exit(f"pkl2json.py: error: {error}")


if __name__ == "__main__":
    main()
