#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Validates JSON files, named KIND.WHAT.json, against schemas/KIND.schema.json.

usage: validate.py FILE...               prints "ok FILE" or "bad FILE: why" for each
       validate.py --kind KIND FILE...   the same for files of any name
"""
import json
import os
import sys

import jsonschema

SCHEMAS = os.path.join(os.path.dirname(__file__), "..", "..", "schemas")


def refuse(token):
    raise ValueError(f"{token} is not JSON")


def validator(kind):
    with open(os.path.join(SCHEMAS, kind + ".schema.json"), encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def verdict(path, kind):
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file, parse_constant=refuse)
    except ValueError as error:
        return f"bad {path}: {error}"
    for error in validator(kind).iter_errors(record):
        return f"bad {path}: {error.json_path}: {error.message}"
    return f"ok {path}"


def main(arguments):
    kind = None
    if arguments[:1] == ["--kind"]:
        kind, arguments = arguments[1], arguments[2:]
    for path in arguments:
        print(verdict(path, kind or os.path.basename(path).split(".")[0]))


main(sys.argv[1:])
