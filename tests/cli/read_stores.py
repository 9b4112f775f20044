#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads stores with lmdb, zstandard and numpy alone.

usage: read_stores.py check STORE...     every record is as schemas/README.md says
       read_stores.py values FOLDER      the stores of helper_stores hold what they should
"""
import io
import json
import os
import struct
import sys

import lmdb
import numpy as np
import zstandard


def records(path):
    """All records of a store: {key: JSON value or array}, `!meta` too."""
    result = {}
    with lmdb.open(path, subdir=False, readonly=True, lock=False) as env, env.begin() as txn:
        for key, value in txn.cursor():
            if value[:1] in (b"{", b"["):
                result[key.decode()] = json.loads(value)
            else:
                result[key.decode()] = np.load(io.BytesIO(tensor(value)), allow_pickle=False)
    return result


def tensor(value):
    frame = zstandard.get_frame_parameters(value)
    assert frame.has_checksum and frame.content_size > 0, "a frame without checksum or size"
    array = zstandard.ZstdDecompressor().decompress(value)
    assert array[:8] == b"\x93NUMPY\x01\x00"
    assert (10 + struct.unpack_from("<H", array, 8)[0]) % 64 == 0, "a header that aligns nothing"
    return array


def check(path):
    store = records(path)
    meta = store.pop("!meta")
    assert meta["complete"] is True and meta["records"] == len(store)
    assert list(store) == sorted(store, key=str.encode)
    assert meta["last"] in store or not store
    items = [key for key in store if not key[-8:].isdigit() or key[-9:-8] != "/"]
    if meta["schema"] == "samples":
        assert items in (["videos"], ["classes", "videos"]) and meta["count"] == len(store) - len(items)
    else:
        assert meta["count"] == len(items)
    print(path, meta["schema"], meta["version"], meta["count"], meta["records"])


def check_index(store):
    assert [v["n_frames"] for v in (store[i] for i in IDS)] == [1, 2, 3]
    for v in (store[i] for i in IDS):
        assert v["fps"] == "25/1" and v["status"] == "ok" and v["rotation"] == 0
        assert v["events"] == [{"start": 0, "end": 1.5, "label": "run"}, {"start": 1.5, "end": 2}]


def check_frames(store):
    for v, name in enumerate(IDS):
        info = store[name]
        assert (info["width"], info["height"], info["n_frames"]) == (33, 22, v + 1)
        for t in range(v + 1):
            a = store[f"{name}/{t:08d}"]
            assert a.dtype == np.uint8 and a.shape == (33, 34)
            picture = np.cumsum(a, axis=0, dtype=np.uint8)
            i = np.arange(a.size)
            want = i * 7 + t * 31 + v * 101 + i * i // 100
            assert (picture.ravel() == want.astype(np.uint8)).all()


def check_samples(store):
    assert store["videos"] == IDS
    table, i = store["epoch/00000000"], np.arange(50)
    assert store["epoch/00000001"].shape == (0,) and store["epoch/00000001"].dtype == table.dtype
    assert table.shape == (50,) and table.dtype.itemsize == 64 and len(table.dtype.names) == 25
    columns = {"video": i % 3, "example": i // 2, "start": -i, "stride": 4, "length": 32, "crop_x": 2 * i,
               "crop_w": 20, "flip": i % 2, "order": 23, "brightness": 0.5 * i, "target": -1, "weight": 1}
    for name, want in columns.items():
        assert (table[name] == want).all(), name


def check_embeddings(store):
    for v, name in enumerate(IDS):
        clip = {"clip": 7, "view": 0, "start": 0, "end": 1, "centre": 0.5}
        assert store[name] == {"clips": [clip | ({"target": v - 1} if v else {})]}
        a = store[f"{name}/00000000"]
        assert a.dtype == np.float16 and a.shape == (2, 4)
        assert (a.ravel() == v + np.arange(8) / 4).all()


IDS = ["a", "a-b", "class/caf\u00e9"]
if sys.argv[1] == "check":
    for store_path in sys.argv[2:]:
        check(store_path)
else:
    for kind in ("index", "frames", "samples", "embeddings"):
        globals()["check_" + kind](records(os.path.join(sys.argv[2], kind + ".lmdb")))
