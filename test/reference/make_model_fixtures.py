#!/usr/bin/python3
"""Small trained networks in the forms other software saves them, and what a reader must make of them.

python3 with torch 1.13, numpy, h5py. PyTorch files are written by PyTorch, npz by numpy; Keras files are
put together with h5py and zipfile from the facts of Keras' formats (attributes, names, layouts), and their
expected outputs come from a literal channels-last evaluation below, not from the arrays a reader makes.

Equal runs give equal bytes, but for stream files of PyTorch (their storages are named by address).

Usage: make_model_fixtures.py [FOLDER]   (default: test/formats/models beside this script)

expected.json: a list of cases, each an object of
  file, kind      the fixture, and the kind a reader must tell
  case            tells apart several ways of reading one file
  architecture    as the reader must build or complete it; null: none
  gates           {layer: order of rows}
  options         what is given to the reader (architecture, key, cell, treat, keras_backend, ...)
  notes           words that must stand in the notes
  weights         {layer: {parameter: {shape, values}}}
  input, output   {shape, values}: as the network of ours takes it, and what must come out, where computed
  says            words of the error; then the file must be refused
Weights, input or output that another case has already are written as that case's number in the list.
"""
import io
import json
import os
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict

import h5py
import numpy as np
import torch
from torch import nn

RANDOM = np.random.RandomState(20240601)
OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "formats", "models")


def normal(*shape):
    """float32 numbers, as trained networks are kept."""
    return (RANDOM.standard_normal(shape) * 0.5).astype(np.float32)


def path(name):
    return os.path.join(OUT, name)


# ------------------------------------------------------------------------------------------------ expected.json
def array(values):
    values = np.asarray(values, np.float64)
    return {"shape": list(values.shape), "values": values.ravel().tolist()}


class Expected:
    def __init__(self):
        self.cases = []

    def case(self, file, kind=None, architecture=None, weights=None, gates=None, options=None, notes=(),
             says=None, input=None, output=None, case=""):
        entry = {"file": file, "case": case, "options": options or {}}
        if says is not None:
            entry["says"] = says
        else:
            entry.update(kind=kind, architecture=architecture, gates=gates or {}, notes=list(notes), weights={
                layer: {name: array(values) for name, values in arrays.items()}
                for layer, arrays in weights.items()})
        if input is not None:
            entry.update(input=array(input), output=array(output))
        # A copy: whoever changes an architecture later must not change what was expected of it here.
        self.cases.append(json.loads(json.dumps(entry)))

    def write(self, name):
        seen, lines = {}, []
        for i, case in enumerate(self.cases):
            written = dict(case)
            for key in ("weights", "input", "output"):
                if key in case and seen.setdefault((key, json.dumps(case[key])), i) != i:
                    written[key] = seen[key, json.dumps(case[key])]
            lines.append(json.dumps(written))
        with open(path(name), "w") as f:
            f.write("[\n" + ",\n".join(lines) + "\n]\n")


EXPECTED = None


def arch(shape, axes, layers, output=None):
    return {"format": "assay-architecture/1", "input": {"shape": list(shape), "axes": list(axes)},
            "layers": layers, "output": output or [layers[-1]["name"]]}


IMAGE = ("channel", "height", "width")


def put(archive, name, data):
    """An entry without the time of day, so that equal runs give equal bytes."""
    info = zipfile.ZipInfo(name)
    info.compress_type = archive.compression
    archive.writestr(info, data)


# ------------------------------------------------------------------------------------------------ PyTorch
def save(name, object, stream=False):
    torch.save(object, path(name), _use_new_zipfile_serialization=not stream)


def dense_arch():
    return arch([3], ["feature"], [{"name": "first", "type": "dense", "units": 4},
                                   {"name": "act", "type": "activation", "function": "relu"},
                                   {"name": "second", "type": "dense", "units": 2}])


def numpy_of(tensor):
    return tensor.detach().to(torch.float64).numpy()


def torch_mlp():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    x = torch.randn(5, 3, dtype=torch.float64)
    state = model.state_dict()
    weights = {"first": {"weight": numpy_of(state["0.weight"]), "bias": numpy_of(state["0.bias"])},
               "second": {"weight": numpy_of(state["2.weight"]), "bias": numpy_of(state["2.bias"])}}
    y = numpy_of(model.double()(x))
    model.float()
    options = {"architecture": dense_arch()}
    save("mlp_zip.pt", state)
    save("mlp_stream.pt", state, stream=True)
    bare = {"0": {"weight": weights["first"]["weight"], "bias": weights["first"]["bias"]},
            "2": {"weight": weights["second"]["weight"], "bias": weights["second"]["bias"]}}
    for file, kind in (("mlp_zip.pt", "torch-zip"), ("mlp_stream.pt", "torch-stream")):
        EXPECTED.case(file, kind, dense_arch(), weights, options=options, notes=["in order"], input=x, output=y)
        EXPECTED.case(file, kind, None, bare, notes=["weights only"], case="bare")
    wrong = dense_arch()
    wrong["layers"][2]["units"] = 3
    EXPECTED.case("mlp_zip.pt", options={"architecture": wrong}, case="wrong_units",
                  says="weight of layer 'second' is 2 x 4; 3 x any is expected")
    wrong = dense_arch()
    wrong["layers"].append({"name": "third", "type": "dense", "units": 2})
    EXPECTED.case("mlp_zip.pt", options={"architecture": wrong}, case="three_layers",
                  says="the 3 layers first, second, third of the architecture are expected")
    wrong = dense_arch()
    wrong["layers"][0]["bias"] = False
    EXPECTED.case("mlp_zip.pt", options={"architecture": wrong}, case="no_bias", says="has a bias")
    # The same archive deflated, as early releases wrote it.
    with zipfile.ZipFile(path("mlp_zip.pt")) as source, \
            zipfile.ZipFile(path("mlp_deflated.pt"), "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name), source.read(name), zipfile.ZIP_DEFLATED)
    EXPECTED.case("mlp_deflated.pt", "torch-zip", dense_arch(), weights, options=options)
    # As a big-endian machine writes it: swapped numbers, and a note of it.
    with zipfile.ZipFile(path("mlp_zip.pt")) as source, zipfile.ZipFile(path("mlp_big.pt"), "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if "/data/" in name:
                data = np.frombuffer(data, "<f4").astype(">f4").tobytes()
            target.writestr(zipfile.ZipInfo(name), data)
        target.writestr(zipfile.ZipInfo(source.namelist()[0].split("/")[0] + "/byteorder"), "big")
    EXPECTED.case("mlp_big.pt", "torch-zip", dense_arch(), weights, options=options)


def torch_types():
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6) * 0.25 - 2
    shared = torch.arange(10, dtype=torch.float64)
    tensors = OrderedDict([
        ("half.weight", (torch.arange(6).reshape(2, 3) * 0.3 - 1).half()),
        ("subnormal.weight", torch.tensor([[5.960464477539063e-08, -6.097555160522461e-05, 65504.0]]).half()),
        ("bfloat.weight", (torch.arange(6).reshape(2, 3) * 0.3 - 1).bfloat16()),
        ("double.weight", torch.arange(4, dtype=torch.float64).reshape(2, 2) / 3),
        ("long.weight", torch.tensor([[-(2 ** 40), 7]])),
        ("int.weight", torch.tensor([[-3, 4]], dtype=torch.int32)),
        ("short.weight", torch.tensor([[-300, 4]], dtype=torch.int16)),
        ("char.weight", torch.tensor([[-3, 4]], dtype=torch.int8)),
        ("byte.weight", torch.tensor([[250, 4]], dtype=torch.uint8)),
        ("bool.weight", torch.tensor([[True, False]])),
        ("turned.weight", base.t()),
        ("sliced.weight", base[1:3, 2:5]),
        ("stepped.weight", base[::2, ::3]),
        ("expanded.weight", base[0:1, :].expand(3, 6)),
        ("part.bias", shared[2:5]),
        ("other.bias", shared[4:9]),
        ("empty.weight", torch.zeros(0, 3)),
        ("parameter.weight", nn.Parameter(base[:2].clone())),
        ("scalar.bias", torch.tensor(1.5)),
    ])
    weights = {name.split(".")[0]: {name.split(".")[1]: numpy_of(tensor)} for name, tensor in tensors.items()}
    for name, stream in (("types_zip.pt", False), ("types_stream.pt", True)):
        save(name, tensors, stream)
        EXPECTED.case(name, "torch-stream" if stream else "torch-zip", None, weights)


def cells(model, name, layers):
    """Parameters of a torch recurrent module under our names."""
    found = {}
    for i in range(layers):
        ours = "%s_l%d" % (name, i) if layers > 1 else name
        found[ours] = {our: numpy_of(getattr(model, "%s_l%d" % (theirs, i))) for theirs, our in (
            ("weight_ih", "kernel"), ("weight_hh", "recurrent"), ("bias_ih", "bias"),
            ("bias_hh", "recurrent_bias")) if hasattr(model, "%s_l%d" % (theirs, i))}
    return found


def recurrent_layer(name, type, units, bias=True, **keys):
    layer = {"name": name, "type": type, "units": units, "bias": bias, "recurrent_bias": bias,
             "return_sequences": True}
    if type == "gru":
        layer["reset_after"] = True
    layer.update(keys)
    return layer


def torch_recurrent():
    torch.manual_seed(2)
    sequence = ("time", "feature")
    gru = nn.GRU(3, 4, batch_first=True)
    x = torch.randn(2, 5, 3)
    save("gru.pt", gru.state_dict())
    EXPECTED.case("gru.pt", "torch-zip", arch([1, 3], sequence, [recurrent_layer("gru", "gru", 4)]),
                  cells(gru, "gru", 1), {"gru": "r,z,n"}, notes=["time steps"], input=x, output=numpy_of(gru(x)[0]))
    lstm, readout = nn.LSTM(2, 3, num_layers=2, batch_first=True), nn.Linear(3, 1)
    module = nn.ModuleDict(OrderedDict([("lstm", lstm), ("fc", readout)]))
    x = torch.randn(2, 4, 2)
    save("lstm_stack.pt", OrderedDict(("module." + k, v) for k, v in module.state_dict().items()), stream=True)
    weights = cells(lstm, "lstm", 2)
    weights["fc"] = {"weight": numpy_of(readout.weight), "bias": numpy_of(readout.bias)}
    EXPECTED.case("lstm_stack.pt", "torch-stream", arch([1, 2], sequence, [
        recurrent_layer("lstm_l0", "lstm", 3), recurrent_layer("lstm_l1", "lstm", 3),
        {"name": "fc", "type": "dense", "units": 1, "bias": True}]), weights,
        {"lstm_l0": "i,f,g,o", "lstm_l1": "i,f,g,o"}, input=x, output=numpy_of(readout(lstm(x)[0])))
    rnn = nn.RNN(2, 3, nonlinearity="relu", bias=False, batch_first=True)
    x = torch.randn(2, 4, 2)
    save("rnn.pt", OrderedDict(("core.rnn." + k, v) for k, v in rnn.state_dict().items()))
    for case, options, activation in (("", {"cell": "rnn-relu"}, "relu"), ("assumed", {}, "tanh")):
        EXPECTED.case("rnn.pt", "torch-zip", arch([1, 2], sequence, [
            recurrent_layer("core.rnn", "rnn", 3, bias=False, activation=activation)]),
            cells(rnn, "core.rnn", 1), options=options, case=case,
            notes=["tanh was assumed"] if activation == "tanh" else [],
            input=x if activation == "relu" else None,
            output=numpy_of(rnn(x)[0]) if activation == "relu" else None)
    EXPECTED.case("rnn.pt", options={"cell": "gru"}, case="wrong_cell", says="has 1 blocks of rows; 3 of a gru")
    both = nn.GRU(2, 3, bidirectional=True)
    save("bidirectional.pt", both.state_dict())
    EXPECTED.case("bidirectional.pt", says="'weight_ih_l0_reverse' belongs to a bidirectional layer")
    # An architecture of the user's, which says less than the file.
    given = arch([5, 3], sequence, [{"name": "cell", "type": "gru", "units": 4, "return_sequences": False}])
    full = json.loads(json.dumps(given))
    full["layers"][0].update(reset_after=True, recurrent_bias=True)
    EXPECTED.case("gru.pt", "torch-zip", full, {"cell": cells(gru, "gru", 1)["gru"]}, {"cell": "r,z,n"},
                  options={"architecture": given}, case="given", notes=["reset_after", "recurrent_bias"])
    full["layers"][0]["reset_after"] = False
    EXPECTED.case("gru.pt", options={"architecture": full}, case="before", says="\"reset_after\": true")


def torch_wrappers():
    torch.manual_seed(3)
    model = nn.Sequential(OrderedDict([("conv", nn.Conv2d(2, 3, (2, 3), stride=2)), ("norm", nn.BatchNorm2d(3)),
                                       ("plain", nn.BatchNorm2d(3, affine=False))]))
    for norm in (model.norm, model.plain):
        norm.running_mean.copy_(torch.randn(3))
        norm.running_var.copy_(torch.rand(3) + 0.5)
    nn.init.normal_(model.norm.weight)
    nn.init.normal_(model.norm.bias)
    parallel = nn.DataParallel(model)
    optimiser = torch.optim.Adam(parallel.parameters())
    parallel(torch.randn(2, 2, 5, 7)).sum().backward()
    model.eval()
    architecture = arch([2, 5, 7], IMAGE, [
        {"name": "conv", "type": "conv2d", "filters": 3, "kernel": [2, 3], "stride": [2, 2], "bias": True},
        {"name": "norm", "type": "batch_norm", "epsilon": 1e-5, "momentum": 0.1},
        {"name": "plain", "type": "batch_norm", "epsilon": 1e-5, "momentum": 0.1}])
    optimiser.step()
    state = parallel.state_dict()
    weights = {"conv": {"weight": numpy_of(model.conv.weight), "bias": numpy_of(model.conv.bias)}}
    for name in ("norm", "plain"):
        norm = getattr(model, name)
        weights[name] = {
            "gamma": numpy_of(norm.weight) if norm.affine else np.ones(3),
            "beta": numpy_of(norm.bias) if norm.affine else np.zeros(3),
            "moving_mean": numpy_of(norm.running_mean), "moving_variance": numpy_of(norm.running_var)}
    x = torch.randn(2, 2, 5, 7, dtype=torch.float64)
    options = {"architecture": architecture}
    save("checkpoint.pt", {"epoch": 3, "loss": torch.tensor(0.5), "model_state_dict": state, "best": 0.25,
                           "optimizer_state_dict": optimiser.state_dict(), "history": [1.0, 2, None, True],
                           "size": torch.Size([2, 3])})
    save("nested.pt", {"ema": {"model": {"conv": {"weight": state["module.conv.weight"],
                                                  "bias": state["module.conv.bias"]}, "relu": {}}},
                       "note": "kept"}, stream=True)
    y = numpy_of(model.double()(x))
    EXPECTED.case("checkpoint.pt", "torch-zip", architecture, weights, options=options,
                  notes=["'model_state_dict'"], input=x, output=y)
    EXPECTED.case("nested.pt", "torch-stream", None, {"conv": weights["conv"]}, options={"key": "ema.model"})
    EXPECTED.case("nested.pt", options={"key": "ema.wrong"}, case="no_key",
                  says="has no entry 'ema.wrong' (--key); it holds ema, note")
    EXPECTED.case("checkpoint.pt", options={"key": "history"}, case="list", says="holds a list; a state dict")


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/assay-was-here",)


def protocol_zero():
    return b"cos\nsystem\n(S'touch /tmp/assay-was-here'\ntR."


def torch_hostile():
    magic = [pickle.dumps(x, 2) for x in (0x1950a86a20f9469cfc6c, 1001, {"little_endian": True})]
    evil = pickle.dumps({"weight": Evil()}, 2)
    with open(path("evil_stream.pt"), "wb") as f:
        f.write(b"".join(magic) + evil + pickle.dumps([], 2))
    with zipfile.ZipFile(path("evil_zip.pt"), "w") as archive:
        put(archive, "archive/data.pkl", evil)
    with zipfile.ZipFile(path("evil_protocol4.pt"), "w") as archive:
        put(archive, "archive/data.pkl", pickle.dumps({"weight": Evil()}, 4))
    with zipfile.ZipFile(path("evil_protocol0.pt"), "w") as archive:
        put(archive, "archive/data.pkl", protocol_zero())
    for name, says in (("evil_stream.pt", "system"), ("evil_zip.pt", "posix system, which is not run"),
                       ("evil_protocol4.pt", "posix system, which is not run"),
                       ("evil_protocol0.pt", "os system, which is not run")):
        EXPECTED.case(name, says=says)
    save("whole_model.pt", nn.Linear(2, 2))
    EXPECTED.case("whole_model.pt", says="torch.nn.modules.linear Linear, which is not run")
    # Nested beyond reason, containing itself, and a pickle that expands like laughter.
    deep = b"\x80\x02" + b"}X\x01\x00\x00\x00a" * 5000 + b"}" + b"s" * 5000 + b"."
    loop = b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s."
    laughs = b"\x80\x02}q\x00"
    for i in range(24):
        laughs += b"}(X\x01\x00\x00\x00ah" + bytes([i]) + b"X\x01\x00\x00\x00bh" + bytes([i]) + b"uq" + bytes([i + 1])
    laughs += b"."
    for name, data, says in (("deep.pt", deep, "deeper than 32 levels"), ("loop.pt", loop, "deeper than 32 levels"),
                             ("laughs.pt", laughs, "has more than 100000 entries")):
        with zipfile.ZipFile(path(name), "w", zipfile.ZIP_DEFLATED) as archive:
            put(archive, "archive/data.pkl", data)
        EXPECTED.case(name, says=says)

    def tensor(count, offset, shape, stride, held, name=b"w"):
        """A zip whose pickle describes a tensor in any way one likes."""
        def ints(values):
            return b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", v) for v in values) + b"t"
        pickled = (b"\x80\x02}X" + struct.pack("<I", len(name)) + name + b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage"
                   b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu\x8a\x08" + struct.pack("<q", count) +
                   b"tQ\x8a\x08" + struct.pack("<q", offset) + ints(shape) + ints(stride) +
                   b"\x89ccollections\nOrderedDict\n)RtRs.")
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            put(archive, "archive/data.pkl", pickled)
            put(archive, "archive/data/0", np.arange(held, dtype="<f4").tobytes())
        return buffer.getvalue()
    lies = {"fine": (6, 0, (2, 3), (3, 1), 6, None),
            "count": (7, 0, (2, 3), (3, 1), 6, "holds 24 bytes; 7 numbers"),
            "beyond": (6, 1, (2, 3), (3, 1), 6, "goes beyond its storage of 6 numbers"),
            "stride": (6, 0, (2, 3), (2 ** 62, 1), 6, "goes beyond its storage"),
            "offset": (6, 2 ** 62, (2, 3), (3, 1), 6, "goes beyond its storage"),
            "negative": (6, 0, (2, 3), (-3, 1), 6, "a non-negative integer is expected"),
            "ranks": (6, 0, (2, 3), (1,), 6, "2 dimensions but 1 strides"),
            "repeats": (6, 0, (2 ** 30, 3), (0, 1), 6, "repeats its storage of 6 numbers"),
            "product": (6, 0, (2 ** 40, 2 ** 40), (0, 0), 6, "is impossible")}
    for name, (count, offset, shape, stride, held, says) in lies.items():
        with open(path("tensor_%s.pt" % name), "wb") as f:
            f.write(tensor(count, offset, shape, stride, held))
        if says:
            EXPECTED.case("tensor_%s.pt" % name, says=says)
        else:
            EXPECTED.case("tensor_%s.pt" % name, "torch-zip", None, {"w": {"value": np.arange(6).reshape(2, 3)}})
    with open(path("odd_name.pt"), "wb") as f:
        f.write(tensor(6, 0, (2, 3), (3, 1), 6, b"\xff\xfe.weight"))
    EXPECTED.case("odd_name.pt", says="is no name of a layer or an array")
    with open(path("ancient.tar"), "wb") as f:
        f.write(b"pickle" + bytes(251) + b"ustar\x0000" + bytes(248))
    EXPECTED.case("ancient.tar", says="is a tar archive, as PyTorch wrote before 0.1.10")


# ------------------------------------------------------------------------------------------------ safetensors, npz
def safetensors_bytes(entries, data, metadata=None):
    header = OrderedDict(entries)
    if metadata:
        header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def bfloat16_bits(array):
    return (np.asarray(array, "<f4").view("<u4") >> 16).astype("<u2")


def safetensors():
    w1, b1, w2, b2 = normal(4, 3), normal(4), normal(2, 4), normal(2)
    # As PyTorch's library orders them: by type, then by name.
    arrays = [("first.bias", b1, "F32"), ("first.weight", w1, "F32"), ("second.bias", b2.astype("<f2"), "F16"),
              ("second.weight", bfloat16_bits(w2), "BF16"), ("counts.weight", np.array([[1, -2]], "<i8"), "I64"),
              ("flags.weight", np.array([[1, 0]], np.uint8), "BOOL")]

    def assembled(arrays):
        entries, data = [], b""
        for name, array, type in arrays:
            raw = array.tobytes()
            entries.append((name, {"dtype": type, "shape": list(array.shape),
                                   "data_offsets": [len(data), len(data) + len(raw)]}))
            data += raw
        return entries, data
    w2_kept = (bfloat16_bits(w2).astype("<u4") << 16).view("<f4")
    kept = {"first": {"weight": w1, "bias": b1}, "second": {"weight": w2_kept, "bias": b2.astype("<f2")}}
    entries, data = assembled(arrays)
    with open(path("types.safetensors"), "wb") as f:
        f.write(safetensors_bytes(entries, data, {"format": "pt"}))
    EXPECTED.case("types.safetensors", "safetensors", None,
                  dict(kept, counts={"weight": [[1, -2]]}, flags={"weight": [[1, 0]]}))
    entries, data = assembled(arrays[:4])
    with open(path("mlp.safetensors"), "wb") as f:
        f.write(safetensors_bytes(entries, data))
    x = RANDOM.standard_normal((3, 3))
    y = np.maximum(x @ w1.astype(float).T + b1, 0) @ w2_kept.astype(float).T + b2.astype("<f2").astype(float)
    EXPECTED.case("mlp.safetensors", "safetensors", dense_arch(), kept,
                  options={"architecture": dense_arch()}, input=x, output=y)

    def lie(name, says, entries, data=bytes(24)):
        with open(path(name + ".safetensors"), "wb") as f:
            f.write(safetensors_bytes(entries, data))
        EXPECTED.case(name + ".safetensors", says=says)
    f32 = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
    lie("overlap", "overlap", [("a", f32), ("b", dict(f32, shape=[1], data_offsets=[20, 24]))])
    lie("outside", "the file has 24 bytes of numbers", [("a", dict(f32, data_offsets=[4, 28]))])
    lie("backwards", "data_offsets: are 24 to 0", [("a", dict(f32, data_offsets=[24, 0]))])
    lie("mismatch", "hold 24 bytes; 2 x 2 numbers of 4 bytes", [("a", dict(f32, shape=[2, 2]))])
    lie("product", "is impossible", [("a", dict(f32, shape=[2 ** 40, 2 ** 40]))])
    lie("float8", "dtype: is 'F8_E4M3'", [("a", dict(f32, dtype="F8_E4M3"))])
    lie("negative", "expected integers of at least 0", [("a", dict(f32, shape=[-2, -3]))])
    with open(path("long.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", 100_000_001) + b"{" + bytes(40))
    EXPECTED.case("long.safetensors", says="is no model in a known form")
    with open(path("beyond.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", 1000) + b"{}" + bytes(40))
    EXPECTED.case("beyond.safetensors", says="its header of 1000 bytes goes beyond the end")
    text = b"{" + b'"a":{' * 200 + b"}" * 201
    with open(path("deep.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
    EXPECTED.case("deep.safetensors", says="nested deeper than 64 levels")
    with open(path("nan.safetensors"), "wb") as f:
        f.write(safetensors_bytes([("a.weight", f32)], np.array([[0, 1, 2], [3, np.nan, 5]], "<f4").tobytes()))
    EXPECTED.case("nan.safetensors", says="weight of layer 'a' is nan at index 4")


def npz():
    w1, b1, w2, b2 = normal(4, 3), normal(4), normal(2, 4), normal(2)
    x = RANDOM.standard_normal((3, 3))
    y = np.maximum(x @ w1.astype(float).T + b1, 0) @ w2.astype(float).T + b2
    weights = {"first": {"weight": w1, "bias": b1}, "second": {"weight": w2, "bias": b2}}
    options = {"architecture": dense_arch()}
    named = OrderedDict([("first/weight", w1), ("first/bias", b1), ("second/weight", w2), ("second/bias", b2)])
    np.savez(path("mlp.npz"), **named)
    np.savez_compressed(path("mlp_deflated.npz"), **named)
    np.savez(path("mlp_orders.npz"), **OrderedDict([
        ("first.weight", np.asfortranarray(w1)), ("first.bias", b1.astype(">f4")),
        ("second.weight", np.asfortranarray(w2.astype(">f8"))), ("second.bias", b2.astype(np.float64))]))
    np.savez(path("mlp_plain.npz"), **OrderedDict([("W1", w1), ("b1", b1), ("W2", w2), ("b2", b2)]))
    for name in ("mlp.npz", "mlp_deflated.npz", "mlp_orders.npz", "mlp_plain.npz"):
        EXPECTED.case(name, "npz", dense_arch(), weights, options=options, input=x, output=y)
    conv = normal(2, 3, 4, 5)
    np.savez(path("fortran.npz"), **{"conv.weight": np.asfortranarray(conv), "notes": np.array(["a", "b"])})
    EXPECTED.case("fortran.npz", "npz", None, {"conv": {"weight": conv}}, notes=["'notes' holds no numbers"])
    cell = {"cell/kernel": normal(6, 2), "cell/recurrent": normal(6, 3), "cell/bias": normal(6)}
    np.savez(path("ugrnn.npz"), **cell)
    layer = {"name": "cell", "type": "ugrnn", "units": 3, "bias": True, "recurrent_bias": False,
             "return_sequences": True}
    EXPECTED.case("ugrnn.npz", "npz", arch([1, 2], ("time", "feature"), [layer]),
                  {"cell": {k.split("/")[1]: v for k, v in cell.items()}}, options={"cell": "ugrnn"})
    EXPECTED.case("ugrnn.npz", case="no_cell", says="has 2 blocks of rows")


# ------------------------------------------------------------------------------------------------ Keras, evaluated
def conv(x, kernel, bias=0.0, stride=1, same=False):
    """x (N, H, W, C), kernel (k, k, C, F): correlation, TensorFlow's padding."""
    x = np.asarray(x, float)
    kh, kw = kernel.shape[:2]
    if same:
        pads = []
        for n, k in ((x.shape[1], kh), (x.shape[2], kw)):
            total = max((-(-n // stride) - 1) * stride + k - n, 0)
            pads.append((total // 2, total - total // 2))
        x = np.pad(x, ((0, 0), pads[0], pads[1], (0, 0)))
    h, w = (x.shape[1] - kh) // stride + 1, (x.shape[2] - kw) // stride + 1
    y = np.zeros((x.shape[0], h, w, kernel.shape[3]))
    for i in range(h):
        for j in range(w):
            window = x[:, i * stride:i * stride + kh, j * stride:j * stride + kw]
            y[:, i, j] = np.einsum("nhwc,hwcf->nf", window, np.asarray(kernel, float))
    return y + bias


def pool(x, size, how):
    n, h, w, c = x.shape
    h, w = h // size, w // size
    return how(how(x[:, :h * size, :w * size].reshape(n, h, size, w, size, c), axis=4), axis=2)


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def keras_gru(x, kernel, recurrent, bias, inner, after):
    """Gates z, r, h; bias (3n) or (2, 3n)."""
    n = recurrent.shape[0]
    kernel, recurrent, bias = (np.asarray(a, float) for a in (kernel, recurrent, bias))
    b, c = (bias[0], bias[1]) if after else (bias, np.zeros(3 * n))
    h, states = np.zeros((x.shape[0], n)), []
    for t in range(x.shape[1]):
        a, u = x[:, t] @ kernel + b, h @ recurrent + c
        z, r = inner(a[:, :n] + u[:, :n]), inner(a[:, n:2 * n] + u[:, n:2 * n])
        m = r * u[:, 2 * n:] if after else (r * h) @ recurrent[:, 2 * n:]
        h = z * h + (1 - z) * np.tanh(a[:, 2 * n:] + m)
        states.append(h)
    return np.stack(states, 1)


def keras_lstm(x, gates, inner):
    """gates: {i, f, c, o: (W, U, b)}."""
    n = gates["i"][1].shape[0]
    h, c, states = np.zeros((x.shape[0], n)), np.zeros((x.shape[0], n)), []
    for t in range(x.shape[1]):
        a = {g: x[:, t] @ W.astype(float) + h @ U.astype(float) + b for g, (W, U, b) in gates.items()}
        c = inner(a["f"]) * c + inner(a["i"]) * np.tanh(a["c"])
        h = inner(a["o"]) * np.tanh(c)
        states.append(h)
    return np.stack(states, 1)


def native(kernel, gates):
    """Kernels of cuDNN as other layers of Keras keep them (_convert_rnn_weights of tf.keras)."""
    return np.hstack([block.T.reshape(block.shape, order="F") for block in np.split(kernel, gates, axis=1)])


def windows(x, size, stride=None, dilation=None, padding="valid"):
    """Of x (N, space..., C): (N, places..., prod(size), C), NaN outside, with TensorFlow's "same", or "causal"."""
    axes = len(size)
    stride, dilation = stride or [1] * axes, dilation or [1] * axes
    pads = []
    for n, k, s, d in zip(x.shape[1:-1], size, stride, dilation):
        reach = (k - 1) * d
        total = max((-(-n // s) - 1) * s + reach + 1 - n, 0) if padding == "same" else 0
        pads.append((reach, 0) if padding == "causal" else (total // 2, total - total // 2))
    x = np.pad(np.asarray(x, float), [(0, 0)] + pads + [(0, 0)], constant_values=np.nan)
    places = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(x.shape[1:-1], size, stride, dilation)]
    y = np.zeros((len(x), *places, int(np.prod(size)), x.shape[-1]))
    for place in np.ndindex(*places):
        for e, element in enumerate(np.ndindex(*size)):
            cell = tuple(p * s + i * d for p, s, i, d in zip(place, stride, element, dilation))
            y[(slice(None), *place, e)] = x[(slice(None), *cell)]
    return y


def first(x):
    """Channels last to channels first."""
    return np.moveaxis(x, -1, 1)


def ours(kernel):
    """(k..., in, out) -> (out, in, k...)."""
    return np.moveaxis(np.moveaxis(kernel, -1, 0), -1, 1)


# ------------------------------------------------------------------------------------------------ Keras, written
def strings(names, variable):
    if not names:
        return np.array([])  # float64 of length 0, as h5py makes it of an empty list
    if variable:
        return np.array(names, dtype=h5py.string_dtype())
    return np.array([name.encode() for name in names])


def write_weights(group, layers, variable=False, split=False):
    """layers: [(name, [(weight name, array), ...]), ...]."""
    names = [name for name, weights in layers]
    if split:
        half = len(names) // 2
        group.attrs["layer_names0"] = strings(names[:half], variable)
        group.attrs["layer_names1"] = strings(names[half:], variable)
    else:
        group.attrs["layer_names"] = strings(names, variable)
    for name, weights in layers:
        inner = group.create_group(name)
        inner.attrs["weight_names"] = strings([weight for weight, array in weights], variable)
        for weight, array in weights:
            inner.create_dataset(weight, data=array)


def write_keras(name, config, layers, version=None, backend=None, variable=False, split=False, alone=False,
                fixed=True):
    with h5py.File(path(name), "w") as f:
        group = f if alone else f.create_group("model_weights")
        for key, value in (("keras_version", version), ("backend", backend)):
            if value is not None:
                for place in {f, group}:
                    place.attrs[key] = value if variable else np.bytes_(value.encode())
        if config is not None:
            text = json.dumps(config)
            f.attrs["model_config"] = np.bytes_(text.encode()) if fixed else text
        if not alone:
            f.attrs["training_config"] = np.bytes_(b"{}")
            f.create_group("optimizer_weights").attrs["weight_names"] = strings(["Adam/iterations:0"], variable)
        write_weights(group, layers, variable, split)


def layer(class_name, name, **config):
    return {"class_name": class_name, "config": dict(name=name, **config)}


def conv2(name, filters, kernel, **keys):
    config = dict(filters=filters, kernel_size=list(kernel), strides=[1, 1], padding="valid",
                  data_format="channels_last", dilation_rate=[1, 1], activation="linear", use_bias=True,
                  kernel_initializer={"class_name": "VarianceScaling", "config": {"seed": None}},
                  kernel_regularizer=None)
    config.update(keys)
    return layer("Conv2D", name, **config)


def dense2(name, units, activation="linear", **keys):
    return layer("Dense", name, units=units, activation=activation, use_bias=True, **keys)


def convolution(name, filters, kernel, stride=(1, 1), padding="valid", bias=True, **keys):
    return dict({"name": name, "type": "conv2d", "filters": filters, "kernel": list(kernel),
                 "stride": list(stride), "padding": padding, "bias": bias}, **keys)


def function(name, word, **keys):
    return dict({"name": name, "type": "activation", "function": word}, **keys)


def keras2():
    k1, b1, k2, b2 = normal(3, 3, 2, 4), normal(4), normal(36, 5), normal(5)
    bn = [normal(4), normal(4), normal(4), np.abs(normal(4)) + np.float32(0.1)]
    x = RANDOM.standard_normal((2, 11, 11, 2))
    h = conv(x, k1, b1, stride=2, same=True)
    h = relu(bn[0] * (h - bn[2]) / np.sqrt(bn[3].astype(float) + 0.002) + bn[1])
    h = pool(h, 2, np.max)
    y = softmax(h.reshape(2, -1) @ k2.astype(float) + b2)
    body = [conv2("conv1", 4, (3, 3), strides=[2, 2], padding="same", batch_input_shape=[None, 11, 11, 2],
                  dtype="float32"),
            layer("BatchNormalization", "norm", axis=-1, momentum=0.75, epsilon=0.002, center=True, scale=True),
            layer("Activation", "act", activation="relu"), layer("Dropout", "drop", rate=0.5),
            layer("MaxPooling2D", "pool", pool_size=[2, 2], padding="valid", strides=[2, 2],
                  data_format="channels_last"),
            layer("Flatten", "flat", data_format="channels_last"), dense2("out", 5, "softmax")]
    stored = [("conv1", [("conv1/kernel:0", k1), ("conv1/bias:0", b1)]),
              ("norm", [("norm/%s:0" % n, a) for n, a in zip(("gamma", "beta", "moving_mean", "moving_variance"), bn)]),
              ("act", []), ("drop", []), ("pool", []), ("flat", []),
              ("out", [("out/kernel:0", k2), ("out/bias:0", b2)])]
    architecture = arch([2, 11, 11], IMAGE, [
        convolution("conv1", 4, (3, 3), (2, 2), "same"),
        {"name": "norm", "type": "batch_norm", "epsilon": 0.002, "momentum": 0.25},
        function("act", "relu"),
        {"name": "pool", "type": "max_pool", "kernel": [2, 2], "stride": [2, 2], "padding": "valid"},
        {"name": "flat", "type": "flatten", "order": "channels_last"},
        {"name": "out", "type": "dense", "units": 5, "bias": True}, function("out_softmax", "softmax")])
    weights = {"conv1": {"weight": ours(k1), "bias": b1},
               "norm": dict(zip(("gamma", "beta", "moving_mean", "moving_variance"), bn)),
               "out": {"weight": k2.T, "bias": b2}}
    config = {"class_name": "Sequential", "config": {"name": "sequential_1", "layers": body}}
    write_keras("keras2.h5", config, stored, "2.2.4", "tensorflow")
    write_keras("keras2_list.h5", dict(config, config=body), stored, "2.1.6", "tensorflow", variable=True, fixed=False,
                split=True)
    for name in ("keras2.h5", "keras2_list.h5"):
        EXPECTED.case(name, "keras-h5", architecture, weights, input=first(x), output=y)
    # The same file with kernels of Theano, which convolves.
    flipped = [(n, [(w, a[::-1, ::-1] if a.ndim == 4 else a) for w, a in ws]) for n, ws in stored]
    write_keras("keras2_theano.h5", config, flipped, "2.2.4", "theano")
    EXPECTED.case("keras2_theano.h5", "keras-h5", architecture, weights, input=first(x), output=y)
    # Weights alone: with the model's JSON, with an architecture (by name, and in order), and with neither.
    write_keras("keras2_weights.h5", None, stored, "2.2.4", "tensorflow", alone=True)
    EXPECTED.case("keras2_weights.h5", "keras-h5", architecture, weights, options={"architecture": config})
    EXPECTED.case("keras2_weights.h5", "keras-h5", architecture, weights, options={"architecture": architecture},
                  case="ours")
    other = json.loads(json.dumps(architecture).replace("conv1", "a").replace('"norm"', '"b"').replace('"out"', '"c"'))
    EXPECTED.case("keras2_weights.h5", "keras-h5", other,
                  {"a": weights["conv1"], "b": weights["norm"], "c": weights["out"]}, options={"architecture": other},
                  case="order", notes=["in order"])
    EXPECTED.case("keras2_weights.h5", "keras-h5", None, weights, notes=["weights only"], case="bare")
    # Channels first: kernels as ever; a Flatten that moves the channels to the end, and one that does not.
    for name, keys, order in (("keras2_first.h5", {"data_format": "channels_first"}, "channels_last"),
                              ("keras2_first_old.h5", {}, "channels_first")):
        k = normal(3, 2, 2, 3)
        rows = normal(3 * 3 * 3, 2)
        xx = RANDOM.standard_normal((2, 5, 4, 2))
        h = conv(xx, k, 0.0)
        flat = h if order == "channels_last" else first(h)
        yy = flat.reshape(2, -1) @ rows.astype(float)
        body = [conv2("c", 3, (3, 2), use_bias=False, data_format="channels_first", batch_input_shape=[None, 2, 5, 4]),
                layer("Flatten", "f", **keys), layer("Dense", "d", units=2, activation="linear", use_bias=False)]
        write_keras(name, {"class_name": "Sequential", "config": {"name": "s", "layers": body}},
                    [("c", [("c/kernel:0", k)]), ("f", []), ("d", [("d/kernel:0", rows)])], "2.2.4", "tensorflow")
        EXPECTED.case(name, "keras-h5", arch([2, 5, 4], IMAGE, [
            convolution("c", 3, (3, 2), bias=False), {"name": "f", "type": "flatten", "order": order},
            {"name": "d", "type": "dense", "units": 2, "bias": False}]),
            {"c": {"weight": ours(k)}, "d": {"weight": rows.T}}, input=first(xx), output=yy)


def node(*names):
    return [[[name, 0, 0, {}] for name in names]]


def keras2_graph():
    ka, kb, kc, rows, b = normal(3, 3, 2, 3), normal(1, 1, 2, 3), normal(3, 3, 6, 2), normal(2, 2), normal(2)
    x = RANDOM.standard_normal((2, 6, 5, 2))
    a = np.tanh(conv(x, ka, 0.0, same=True))
    c = conv(x, kb, 0.0)
    joined = np.concatenate([a + c, a], axis=-1)
    h = conv(joined, kc, 0.0).mean((1, 2))
    y = sigmoid(h @ rows.astype(float) + b)
    inner = {"class_name": "Sequential", "name": "head", "inbound_nodes": node("mean"), "config": {
        "name": "head", "layers": [dense2("dense_1", 2, batch_input_shape=[None, 2]),
                                   layer("Activation", "squash", activation="sigmoid")]}}

    def l(l, *inputs):
        return dict(l, name=l["config"]["name"], inbound_nodes=node(*inputs) if inputs else [])
    layers = [l(layer("InputLayer", "image", batch_input_shape=[None, 6, 5, 2], dtype="float32", sparse=False)),
              l(layer("Add", "sum"), "a", "c"),  # before its inputs
              l(conv2("a", 3, (3, 3), padding="same", activation="tanh", use_bias=False), "image"),
              l(conv2("c", 3, (1, 1), use_bias=False), "image"),
              l(layer("Concatenate", "join", axis=-1), "sum", "a"),
              l(conv2("last", 2, (3, 3), use_bias=False), "join"),
              l(layer("GlobalAveragePooling2D", "mean", data_format="channels_last"), "last"), inner]
    config = {"class_name": "Model", "config": {"name": "m", "layers": layers, "input_layers": [["image", 0, 0]],
                                                "output_layers": [["head", 1, 0]]}}
    stored = [("image", []), ("sum", []), ("a", [("a/kernel:0", ka)]), ("c", [("c/kernel:0", kb)]), ("join", []),
              ("last", [("last/kernel:0", kc)]), ("mean", []),
              ("head", [("dense_1/kernel:0", rows), ("dense_1/bias:0", b)])]
    write_keras("keras2_graph.h5", config, stored, "2.3.1", "tensorflow", variable=True)
    architecture = arch([2, 6, 5], IMAGE, [
        convolution("a", 3, (3, 3), padding="same", bias=False), function("a_tanh", "tanh"),
        convolution("c", 3, (1, 1), bias=False, inputs=["input"]),
        {"name": "sum", "type": "add", "inputs": ["a_tanh", "c"]},
        {"name": "join", "type": "concatenate", "inputs": ["sum", "a_tanh"], "axis": 0},
        convolution("last", 2, (3, 3), bias=False), {"name": "mean", "type": "global_average_pool"},
        {"name": "head.dense_1", "type": "dense", "units": 2, "bias": True},
        function("head.squash", "sigmoid")])
    EXPECTED.case("keras2_graph.h5", "keras-h5", architecture,
                  {"a": {"weight": ours(ka)}, "c": {"weight": ours(kb)}, "last": {"weight": ours(kc)},
                   "head.dense_1": {"weight": rows.T, "bias": b}}, input=first(x), output=y)


def keras1():
    # "th": kernels (out, in, rows, cols), convolved; a list for a config; no version anywhere.
    k, b, rows, bias = normal(3, 2, 3, 2), normal(3), normal(3 * 3 * 3, 4), normal(4)
    alphas, betas = np.abs(normal(1, 1, 4))[0, 0] + np.float32(0.2), np.abs(normal(4)) + np.float32(0.5)
    x = RANDOM.standard_normal((2, 5, 4, 2))
    rotated = np.ascontiguousarray(k[:, :, ::-1, ::-1])
    h = first(conv(x, np.moveaxis(rotated, (0, 1), (3, 2)), b)).reshape(2, -1)  # C, H, W: Theano's own order
    y = h @ rows.astype(float) + bias
    y = alphas * np.log1p(np.exp(betas.astype(float) * y))
    body = [layer("Convolution2D", "convolution2d_1", nb_filter=3, nb_row=3, nb_col=2, border_mode="valid",
                  subsample=[1, 1], dim_ordering="th", bias=True, activation="linear", W_regularizer=None,
                  batch_input_shape=[None, 2, 5, 4], input_dtype="float32", init="glorot_uniform", trainable=True),
            layer("Flatten", "flatten_1", trainable=True),
            layer("Dense", "dense_1", output_dim=4, input_dim=None, bias=True, activation="linear", init="normal"),
            layer("Dropout", "dropout_1", p=0.5),
            layer("ParametricSoftplus", "parametricsoftplus_1", alpha_init=0.2, beta_init=5.0, shared_axes=None)]
    stored = [("convolution2d_1", [("convolution2d_1_W", k), ("convolution2d_1_b", b)]), ("flatten_1", []),
              ("dense_1", [("dense_1_W", rows), ("dense_1_b", bias)]), ("dropout_1", []),
              ("parametricsoftplus_1", [("parametricsoftplus_1_alphas", alphas), ("parametricsoftplus_1_betas", betas)])]
    config = {"class_name": "Sequential", "config": body}
    write_keras("keras1_th.h5", config, stored)
    architecture = arch([2, 5, 4], IMAGE, [
        convolution("convolution2d_1", 3, (3, 2)), {"name": "flatten_1", "type": "flatten", "order": "channels_first"},
        {"name": "dense_1", "type": "dense", "units": 4, "bias": True},
        function("parametricsoftplus_1", "parametric_softplus")])
    weights = {"convolution2d_1": {"weight": rotated, "bias": b}, "dense_1": {"weight": rows.T, "bias": bias},
               "parametricsoftplus_1": {"alpha": alphas, "beta": betas}}
    EXPECTED.case("keras1_th.h5", "keras-h5", architecture, weights, notes=["--keras-backend"], input=first(x), output=y)
    plain = dict(weights, convolution2d_1={"weight": k, "bias": b})
    EXPECTED.case("keras1_th.h5", "keras-h5", architecture, plain, options={"keras_backend": "tensorflow"}, case="tf")
    # "tf", names with ":0", a running deviation, Merge; a convolution in one dimension; separate gates.
    k, gamma, beta, mean, deviation = normal(2, 2, 1, 3), normal(3), normal(3), normal(3), np.abs(normal(3)) + 1
    body = [layer("Convolution2D", "conv", nb_filter=3, nb_row=2, nb_col=2, border_mode="same", subsample=[1, 1],
                  dim_ordering="tf", bias=False, activation="relu", batch_input_shape=[None, 4, 4, 1]),
            layer("BatchNormalization", "bn", mode=0, axis=-1, epsilon=0.001, momentum=0.99)]
    stored = [("conv", [("conv_W:0", k)]), ("bn", [("bn_gamma:0", gamma), ("bn_beta:0", beta),
                                                  ("bn_running_mean:0", mean), ("bn_running_std:0", deviation)])]
    write_keras("keras1_tf.h5", {"class_name": "Sequential", "config": body}, stored)
    architecture = arch([1, 4, 4], IMAGE, [convolution("conv", 3, (2, 2), padding="same", bias=False),
                                           function("conv_relu", "relu"),
                                           {"name": "bn", "type": "batch_norm", "epsilon": 0.001, "momentum": 1 - 0.99}])
    for case, options, variance in (("", {}, deviation.astype(float)),
                                    ("std", {"keras1_bn": "std"}, deviation.astype(float) ** 2)):
        EXPECTED.case("keras1_tf.h5", "keras-h5", architecture, {"conv": {"weight": ours(k)}, "bn": {
            "gamma": gamma, "beta": beta, "moving_mean": mean, "moving_variance": variance}}, options=options, case=case)
    k, b = normal(3, 1, 2, 4), normal(4)
    gates = {g: (normal(4, 2), normal(2, 2), normal(2)) for g in "icfo"}
    body = [layer("Convolution1D", "c1", nb_filter=4, filter_length=3, border_mode="valid", subsample_length=1, bias=True,
                  activation="tanh", input_dim=2, input_length=8, batch_input_shape=[None, 8, 2]),
            layer("MaxPooling1D", "p1", pool_length=2, stride=2, border_mode="valid"),
            layer("LSTM", "l1", output_dim=2, activation="tanh", inner_activation="hard_sigmoid",
                  return_sequences=False, go_backwards=False, stateful=False, consume_less="cpu")]
    stored = [("c1", [("c1_W", k), ("c1_b", b)]), ("p1", []),
              ("l1", [("l1_%s_%s" % (n, g), gates[g][i]) for g in "icfo" for i, n in enumerate("WUb")])]
    write_keras("keras1_lstm.h5", {"class_name": "Sequential", "config": body}, stored)
    x = RANDOM.standard_normal((2, 8, 2))
    h = np.tanh(conv(x[:, :, None, :], k, b))[:, :, 0]
    h = h[:, :6].reshape(2, 3, 2, 4).max(2)
    y = keras_lstm(h, gates, hard_sigmoid)[:, -1]
    architecture = arch([2, 8], ("channel", "length"), [
        {"name": "c1", "type": "conv1d", "filters": 4, "kernel": [3], "stride": [1], "padding": "valid", "bias": True},
        function("c1_tanh", "tanh"),
        {"name": "p1", "type": "max_pool", "kernel": [2], "stride": [2], "padding": "valid"},
        {"name": "p1_channels_last", "type": "permute", "axes": [1, 0], "sequence": True},
        {"name": "l1", "type": "lstm", "units": 2, "activation": "tanh", "recurrent_activation": "hard_sigmoid",
         "bias": True, "recurrent_bias": False, "return_sequences": False}])
    EXPECTED.case("keras1_lstm.h5", "keras-h5", architecture, {
        "c1": {"weight": ours(k[:, 0]), "bias": b},
        "l1": {"kernel": np.vstack([gates[g][0].T for g in "icfo"]),
               "recurrent": np.vstack([gates[g][1].T for g in "icfo"]),
               "bias": np.hstack([gates[g][2] for g in "icfo"])}}, {"l1": "i,g,f,o"}, input=first(x), output=y)


def keras_recurrent():
    sequence = ("time", "feature")
    for name, after, version in (("keras2_gru.h5", True, "2.4.0-tf"), ("keras2_gru_before.h5", False, "2.2.4")):
        n = 3
        kernel, recurrent = normal(2, 3 * n), normal(n, 3 * n)
        bias = normal(2, 3 * n) if after else normal(3 * n)
        rows, b = normal(n, 2), normal(2)
        gru = layer("GRU", "gru", units=n, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                    return_sequences=True, go_backwards=False, return_state=False,
                    batch_input_shape=[None, None, 2], **({"reset_after": True, "time_major": False} if after else {}))
        body = [gru, {"class_name": "TimeDistributed", "config": {
            "name": "td", "layer": {"class_name": "Dense", "config": {"name": "dense", "units": 2,
                                                                      "activation": "linear", "use_bias": True}}}}]
        inner = "gru/gru_cell/" if after else "gru/"
        stored = [("gru", [(inner + "kernel:0", kernel), (inner + "recurrent_kernel:0", recurrent),
                           (inner + "bias:0", bias)]), ("td", [("td/kernel:0", rows), ("td/bias:0", b)])]
        write_keras(name, {"class_name": "Sequential", "config": {"name": "s", "layers": body}}, stored, version,
                    "tensorflow", variable=after)
        x = RANDOM.standard_normal((2, 4, 2))
        y = keras_gru(x, kernel, recurrent, bias, sigmoid, after) @ rows.astype(float) + b
        biases = {"bias": bias[0], "recurrent_bias": bias[1]} if after else {"bias": bias}
        EXPECTED.case(name, "keras-h5", arch([1, 2], sequence, [
            {"name": "gru", "type": "gru", "units": n, "activation": "tanh", "recurrent_activation": "sigmoid",
             "reset_after": after, "bias": True, "recurrent_bias": after, "return_sequences": True},
            {"name": "td", "type": "dense", "units": 2, "bias": True}]),
            {"gru": dict(kernel=kernel.T, recurrent=recurrent.T, **biases), "td": {"weight": rows.T, "bias": b}},
            {"gru": "z,r,n"}, notes=["time steps"], input=x, output=y)
    # Words: embedding, masked; LSTM with a unit forget gate; no bias.
    words, kernel, recurrent = normal(7, 3), normal(3, 8), normal(2, 8)
    body = [layer("Embedding", "words", batch_input_shape=[None, 6], input_dim=7, output_dim=3, mask_zero=True),
            layer("LSTM", "lstm", units=2, activation="tanh", recurrent_activation="sigmoid", use_bias=False,
                  unit_forget_bias=True, return_sequences=False)]
    stored = [("words", [("words/embeddings:0", words)]),
              ("lstm", [("lstm/kernel:0", kernel), ("lstm/recurrent_kernel:0", recurrent)])]
    write_keras("keras2_words.h5", {"class_name": "Sequential", "config": {"name": "s", "layers": body}}, stored,
                "2.2.4", "tensorflow")
    tokens = RANDOM.randint(0, 7, (2, 6))
    gates = {g: (kernel[:, 2 * i:2 * i + 2], recurrent[:, 2 * i:2 * i + 2], 0.0) for i, g in enumerate("ifco")}
    EXPECTED.case("keras2_words.h5", "keras-h5", arch([6], ["time"], [
        {"name": "words", "type": "embedding", "vocabulary": 7, "units": 3},
        {"name": "lstm", "type": "lstm", "units": 2, "activation": "tanh", "recurrent_activation": "sigmoid",
         "bias": False, "recurrent_bias": False, "return_sequences": False}]),
        {"words": {"weight": words}, "lstm": {"kernel": kernel.T, "recurrent": recurrent.T}}, {"lstm": "i,f,g,o"},
        options={"treat": [["mask_zero", "identity"]]}, notes=["masks token 0"], input=tokens,
        output=keras_lstm(words[tokens].astype(float), gates, sigmoid)[:, -1])
    EXPECTED.case("keras2_words.h5", case="masked",
                  says="layer 'lstm' (LSTM): would leave out steps of token 0 (mask_zero)")


def keras2_shapes():
    """Layers that move things about, each in Keras' own order of axes."""
    d, k, rows = normal(2, 2, 1, 2), normal(3, 3, 2, 3), normal(60, 2)
    bn = [normal(3), np.abs(normal(3)) + np.float32(0.1)]
    x = RANDOM.standard_normal((2, 36))
    h = np.pad(x.reshape(2, 6, 6, 1), ((0, 0), (1, 0), (0, 2), (0, 0)))
    h = np.concatenate([conv(h, d[:, :, :, m:m + 1]) for m in range(2)], -1)
    h = h.repeat(2, 1).repeat(2, 2)[:, 1:-1, 2:]
    h = conv(h.transpose(0, 2, 1, 3), k)  # (2, 10, 8, 3)
    pooled = np.zeros((2, 5, 4, 3))
    for i in range(5):
        for j in range(4):
            # Total padding 1, all of it behind; means over what lies inside.
            pooled[:, i, j] = h[:, 2 * i:2 * i + 3, 2 * j:2 * j + 3].mean((1, 2))
    h = (pooled - bn[0]) / np.sqrt(bn[1].astype(float) + 0.01)
    y = h.reshape(2, -1) @ rows.astype(float)
    body = [layer("Reshape", "r", target_shape=[6, -1, 1], batch_input_shape=[None, 36]),
            layer("ZeroPadding2D", "pad", padding=[[1, 0], [0, 2]], data_format="channels_last"),
            layer("DepthwiseConv2D", "deep", kernel_size=[2, 2], strides=[1, 1], padding="valid", depth_multiplier=2,
                  data_format="channels_last", activation="linear", use_bias=False),
            layer("UpSampling2D", "up", size=[2, 2], data_format="channels_last", interpolation="nearest"),
            layer("Cropping2D", "crop", cropping=[[1, 1], [2, 0]], data_format="channels_last"),
            layer("Permute", "turn", dims=[2, 1, 3]), conv2("c", 3, (3, 3), use_bias=False),
            layer("AveragePooling2D", "mean", pool_size=[3, 3], strides=[2, 2], padding="same",
                  data_format="channels_last"),
            layer("BatchNormalization", "norm", axis=[3], momentum=0.5, epsilon=0.01, center=False, scale=False),
            layer("Flatten", "flat", data_format="channels_last"),
            layer("Dense", "out", units=2, activation="linear", use_bias=False)]
    write_keras("keras2_shapes.h5", {"class_name": "Sequential", "config": {"name": "s", "layers": body}}, [
        ("deep", [("deep/depthwise_kernel:0", d)]), ("c", [("c/kernel:0", k)]),
        ("norm", [("norm/moving_mean:0", bn[0]), ("norm/moving_variance:0", bn[1])]), ("out", [("out/kernel:0", rows)])],
        "2.3.0-tf", "tensorflow")
    EXPECTED.case("keras2_shapes.h5", "keras-h5", arch([36], ["feature"], [
        {"name": "r", "type": "reshape", "shape": [6, 6, 1]},
        {"name": "r_channels_first", "type": "permute", "axes": [2, 0, 1]},
        {"name": "pad", "type": "zero_padding", "padding": [[1, 0], [0, 2]]},
        convolution("deep", 2, (2, 2), bias=False, groups=1), {"name": "up", "type": "upsample", "factor": [2, 2]},
        {"name": "crop", "type": "cropping", "cropping": [[1, 1], [2, 0]]},
        {"name": "crop_channels_last", "type": "permute", "axes": [1, 2, 0]},
        {"name": "turn", "type": "permute", "axes": [1, 0, 2]},
        {"name": "turn_channels_first", "type": "permute", "axes": [2, 0, 1]},
        convolution("c", 3, (3, 3), bias=False),
        {"name": "mean", "type": "average_pool", "kernel": [3, 3], "stride": [2, 2], "padding": "same",
         "count_include_pad": False},
        {"name": "norm", "type": "batch_norm", "epsilon": 0.01, "momentum": 0.5},
        {"name": "flat", "type": "flatten", "order": "channels_last"},
        {"name": "out", "type": "dense", "units": 2, "bias": False}]),
        {"deep": {"weight": d.transpose(2, 3, 0, 1).reshape(2, 1, 2, 2)}, "c": {"weight": ours(k)},
         "norm": {"gamma": np.ones(3), "beta": np.zeros(3), "moving_mean": bn[0], "moving_variance": bn[1]},
         "out": {"weight": rows.T}}, input=x, output=y)


def keras2_cells():
    """A GRU of cuDNN (two biases in one vector), batch norm over features of a sequence, a cell in a wrapper."""
    n, (gk, gr, gb) = 2, (normal(3, 6), normal(2, 6), normal(12))
    bn = [normal(2), normal(2), normal(2), np.abs(normal(2)) + np.float32(0.1)]
    lk, lr, lb = normal(2, 8), normal(2, 8), normal(8)
    x = RANDOM.standard_normal((2, 4, 3))
    native_k, native_r = native(gk, 3), native(gr, 3)
    h = keras_gru(x, native_k, native_r, gb.reshape(2, 6), sigmoid, True)
    h = bn[0] * (h - bn[2]) / np.sqrt(bn[3].astype(float) + 0.001) + bn[1]
    gates = {g: (lk[:, 2 * i:2 * i + 2], lr[:, 2 * i:2 * i + 2], lb[2 * i:2 * i + 2]) for i, g in enumerate("ifco")}
    y = keras_lstm(h, gates, hard_sigmoid)[:, -1]
    body = [layer("CuDNNGRU", "g", units=n, return_sequences=True, batch_input_shape=[None, 4, 3]),
            layer("BatchNormalization", "norm", axis=-1, momentum=0.5, epsilon=0.001, center=True, scale=True),
            layer("RNN", "r", return_sequences=False, cell={"class_name": "LSTMCell", "config": {
                "name": "cell", "units": n, "activation": "tanh", "recurrent_activation": "hard_sigmoid",
                "use_bias": True}})]
    stored = [("g", [("g/kernel:0", gk), ("g/recurrent_kernel:0", gr), ("g/bias:0", gb)]),
              ("norm", [("norm/%s:0" % n, a) for n, a in zip(("gamma", "beta", "moving_mean", "moving_variance"), bn)]),
              ("r", [("r/cell/kernel:0", lk), ("r/cell/recurrent_kernel:0", lr), ("r/cell/bias:0", lb)])]
    write_keras("keras2_cells.h5", {"class_name": "Sequential", "config": body}, stored, "2.2.4", "tensorflow")
    EXPECTED.case("keras2_cells.h5", "keras-h5", arch([4, 3], ("time", "feature"), [
        {"name": "g", "type": "gru", "units": n, "activation": "tanh", "recurrent_activation": "sigmoid",
         "reset_after": True, "bias": True, "recurrent_bias": True, "return_sequences": True},
        {"name": "g_channels_first", "type": "permute", "axes": [1, 0]},
        {"name": "norm", "type": "batch_norm", "epsilon": 0.001, "momentum": 0.5},
        {"name": "norm_channels_last", "type": "permute", "axes": [1, 0], "sequence": True},
        {"name": "r", "type": "lstm", "units": n, "activation": "tanh", "recurrent_activation": "hard_sigmoid",
         "bias": True, "recurrent_bias": False, "return_sequences": False}]),
        {"g": {"kernel": native_k.T, "recurrent": native_r.T, "bias": gb[:6], "recurrent_bias": gb[6:]},
         "norm": dict(zip(("gamma", "beta", "moving_mean", "moving_variance"), bn)),
         "r": {"kernel": lk.T, "recurrent": lr.T, "bias": lb}}, {"g": "z,r,n", "r": "i,f,g,o"}, input=x, output=y)


def keras1_graph():
    """A model of Keras 1 with a Merge, and slopes shared over the image."""
    ka, kb = normal(2, 1, 2, 2), normal(2, 1, 2, 2)  # th
    alphas, betas = np.abs(normal(4, 1, 1)) + np.float32(0.2), np.abs(normal(4, 1, 1)) + np.float32(0.5)
    x = RANDOM.standard_normal((2, 4, 4, 1))
    flip = lambda k: np.ascontiguousarray(k[:, :, ::-1, ::-1])
    h = np.concatenate([conv(x, np.moveaxis(flip(k), (0, 1), (3, 2))) for k in (ka, kb)], -1)
    y = alphas[:, 0, 0] * np.log1p(np.exp(betas[:, 0, 0].astype(float) * h))

    def th(name, *inputs):
        return dict(layer("Convolution2D", name, nb_filter=2, nb_row=2, nb_col=2, border_mode="valid", subsample=[1, 1],
                          dim_ordering="th", bias=False, activation="linear"), name=name, inbound_nodes=node(*inputs))
    layers = [dict(layer("InputLayer", "in", batch_input_shape=[None, 1, 4, 4]), name="in", inbound_nodes=[]),
              th("a", "in"), th("b", "in"),
              dict(layer("Merge", "m", mode="concat", concat_axis=1, dot_axes=-1), name="m", inbound_nodes=node("a", "b")),
              dict(layer("ParametricSoftplus", "p", shared_axes=[2, 3]), name="p", inbound_nodes=node("m"))]
    write_keras("keras1_graph.h5", {"class_name": "Model", "config": {
        "name": "model_1", "layers": layers, "input_layers": [["in", 0, 0]], "output_layers": [["p", 0, 0]]}},
        [("a", [("a_W", ka)]), ("b", [("b_W", kb)]), ("m", []), ("p", [("p_alphas", alphas), ("p_betas", betas)])])
    EXPECTED.case("keras1_graph.h5", "keras-h5", arch([1, 4, 4], IMAGE, [
        convolution("a", 2, (2, 2), bias=False), convolution("b", 2, (2, 2), bias=False, inputs=["input"]),
        {"name": "m", "type": "concatenate", "axis": 0, "inputs": ["a", "b"]},
        function("p", "parametric_softplus")]),
        {"a": {"weight": flip(ka)}, "b": {"weight": flip(kb)},
         "p": {"alpha": np.broadcast_to(alphas, (4, 3, 3)), "beta": np.broadcast_to(betas, (4, 3, 3))}},
        options={"keras_backend": "theano"}, input=first(x), output=first(y))


def keras3_node(*names):
    tensors = [{"class_name": "__keras_tensor__", "config": {"shape": [None, 2], "dtype": "float32",
                                                            "keras_history": [name, 0, 0]}} for name in names]
    return [{"args": [tensors] if len(tensors) > 1 else tensors, "kwargs": {}}]


def keras3_layer(class_name, name, inputs, **config):
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
    return {"module": "keras.layers", "class_name": class_name, "config": dict(name=name, dtype=policy, **config),
            "registered_name": None, "name": name, "build_config": {"input_shape": [None, 2]},
            "inbound_nodes": keras3_node(*inputs) if inputs else []}


def write_archive(name, config, variables, deflate=False, names=False):
    """variables: {folder: [array, ...]}."""
    image = io.BytesIO()
    with h5py.File(image, "w") as f:
        for folder, arrays in variables.items():
            group = f.create_group(folder + "/vars")
            if names and arrays:
                group.attrs["name"] = names[folder]
            for i, array in enumerate(arrays):
                group.create_dataset(str(i), data=array)
        f.create_group("optimizer/vars").create_dataset("0", data=np.int64(3))
    with zipfile.ZipFile(path(name), "w", zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED) as archive:
        for entry, data in (("metadata.json", json.dumps({"keras_version": "3.4.1", "date_saved": "2024-06-01"})),
                            ("config.json", json.dumps(config)), ("model.weights.h5", image.getvalue())):
            put(archive, entry, data)


def keras3():
    k, b, rows, bias, out, scale = normal(2, 2, 1, 3), normal(3), normal(3, 4), normal(4), normal(8, 2), normal(4)
    x = RANDOM.standard_normal((2, 5, 5, 1))
    h = relu(conv(x, k, b)).mean((1, 2))
    h = h @ rows.astype(float) + bias
    spread = (h - h.mean(-1, keepdims=True)) / np.sqrt(h.var(-1, keepdims=True) + 0.001)
    g = np.where(h > 0, h, 0.2 * h)
    y = np.concatenate([spread * scale, g], -1) @ out.astype(float)
    layers = [keras3_layer("InputLayer", "in", [], batch_shape=[None, 5, 5, 1]),
              keras3_layer("Conv2D", "conv", ["in"], filters=3, kernel_size=[2, 2], strides=[1, 1], padding="valid",
                           data_format="channels_last", dilation_rate=[1, 1], groups=1, activation="relu", use_bias=True),
              keras3_layer("GlobalAveragePooling2D", "mean", ["conv"], data_format="channels_last", keepdims=False),
              keras3_layer("Dense", "dense", ["mean"], units=4, activation="linear", use_bias=True),
              keras3_layer("LayerNormalization", "norm", ["dense"], axis=-1, epsilon=0.001, center=False, scale=True),
              keras3_layer("LeakyReLU", "leak", ["dense"], negative_slope=0.2),
              keras3_layer("Concatenate", "both", ["norm", "leak"], axis=-1),
              keras3_layer("Dense", "out", ["both"], units=2, activation={
                  "module": "builtins", "class_name": "function", "config": "linear", "registered_name": "function"},
                  use_bias=False)]
    config = {"module": "keras.src.models.functional", "class_name": "Functional", "registered_name": "Functional",
              "config": {"name": "functional", "trainable": True, "layers": layers, "input_layers": ["in", 0, 0],
                         "output_layers": ["out", 0, 0]}, "build_config": {"input_shape": None}}
    architecture = arch([1, 5, 5], IMAGE, [
        convolution("conv", 3, (2, 2)), function("conv_relu", "relu"), {"name": "mean", "type": "global_average_pool"},
        {"name": "dense", "type": "dense", "units": 4, "bias": True},
        {"name": "norm", "type": "layer_norm", "epsilon": 0.001},
        function("leak", "leaky_relu", slope=0.2, inputs=["dense"]),
        {"name": "both", "type": "concatenate", "inputs": ["norm", "leak"], "axis": 0},
        {"name": "out", "type": "dense", "units": 2, "bias": False}])
    weights = {"conv": {"weight": ours(k), "bias": b}, "dense": {"weight": rows.T, "bias": bias},
               "norm": {"gamma": scale, "beta": np.zeros(4)}, "out": {"weight": out.T}}
    stored = [("in", []), ("conv", [("functional/conv/kernel", k), ("functional/conv/bias", b)]), ("mean", []),
              ("dense", [("functional/dense/kernel", rows), ("functional/dense/bias", bias)]),
              ("norm", [("functional/norm/gamma", scale)]), ("leak", []), ("both", []),
              ("out", [("functional/out/kernel", out)])]
    write_keras("keras3.h5", config, stored, "3.4.1", "jax", variable=True, fixed=False)
    EXPECTED.case("keras3.h5", "keras-h5", architecture, weights, input=first(x), output=y)
    variables = {"layers/input_layer": [], "layers/conv2d": [k, b], "layers/global_average_pooling2d": [],
                 "layers/dense": [rows, bias], "layers/layer_normalization": [scale], "layers/leaky_re_lu": [],
                 "layers/concatenate": [], "layers/dense_1": [out]}
    write_archive("keras3.keras", config, variables)
    names = dict(zip(variables, ("in", "conv", "mean", "dense", "norm", "leak", "both", "out")))
    write_archive("keras3_named.keras", config, variables, deflate=True, names=names)
    for name in ("keras3.keras", "keras3_named.keras"):
        EXPECTED.case(name, "keras-v3", architecture, weights, input=first(x), output=y)
    # Sequential: a recurrent layer keeps its arrays in its cell, a model inside repeats layers/.
    n = 2
    kernel, recurrent, two, w, c = normal(3, 3 * n), normal(n, 3 * n), normal(2, 3 * n), normal(n, 3), normal(3)
    w2, c2 = normal(3, 1), normal(1)
    head = {"module": "keras", "class_name": "Sequential", "registered_name": None, "config": {
        "name": "head", "layers": [{"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [None, n]}},
                                   layer("Dense", "a", units=3, activation="relu", use_bias=True),
                                   layer("Dense", "b", units=1, activation="linear", use_bias=True)]}}
    body = [{"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, 4, 3]}},
            layer("GRU", "g", units=n, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                  reset_after=True, return_sequences=False), head]
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": body},
              "registered_name": None}
    write_archive("keras3_gru.keras", config, {
        "layers/gru/cell": [kernel, recurrent, two], "layers/gru": [], "layers/sequential/layers/dense": [w, c],
        "layers/sequential/layers/dense_1": [w2, c2]})
    x = RANDOM.standard_normal((2, 4, 3))
    h = keras_gru(x, kernel, recurrent, two, sigmoid, True)[:, -1]
    y = relu(h @ w.astype(float) + c) @ w2.astype(float) + c2
    EXPECTED.case("keras3_gru.keras", "keras-v3", arch([4, 3], ("time", "feature"), [
        {"name": "g", "type": "gru", "units": n, "activation": "tanh", "recurrent_activation": "sigmoid",
         "reset_after": True, "bias": True, "recurrent_bias": True, "return_sequences": False},
        {"name": "head.a", "type": "dense", "units": 3, "bias": True}, function("head.a_relu", "relu"),
        {"name": "head.b", "type": "dense", "units": 1, "bias": True}]),
        {"g": {"kernel": kernel.T, "recurrent": recurrent.T, "bias": two[0], "recurrent_bias": two[1]},
         "head.a": {"weight": w.T, "bias": c}, "head.b": {"weight": w2.T, "bias": c2}}, {"g": "z,r,n"}, input=x, output=y)


def keras_refused():
    w, b = normal(2, 2), normal(2)
    stored = [("d", [("d/kernel:0", w), ("d/bias:0", b)])]

    def sequential(*layers):
        return {"class_name": "Sequential", "config": {"name": "s", "layers": [
            dense2("d", 2, batch_input_shape=[None, 2])] + list(layers)}}

    def refuse(name, says, config, weights=stored, **case):
        write_keras(name, config, weights, "2.2.4", "tensorflow")
        EXPECTED.case(name, says=says, **case)
    odd = sequential(layer("Lambda", "trick", function=["4wEA", None, None]), layer("Noise", "own"))
    refuse("lambda.h5", "layer 'trick' (Lambda), layer 'own' (Noise) are of classes that are not known here", odd)
    EXPECTED.case("lambda.h5", "keras-h5", arch([2], ["feature"], [
        {"name": "d", "type": "dense", "units": 2, "bias": True}, function("trick", "softplus")]),
        {"d": {"weight": w.T, "bias": b}}, options={"treat": [["Lambda", "softplus"], ["Noise", "identity"]]},
        notes=["layer 'trick' (Lambda) is treated as softplus"], case="treated")
    refuse("two_ways.h5", "layer 'twice' (Bidirectional)", sequential({"class_name": "Bidirectional", "config": {
        "name": "twice", "layer": layer("LSTM", "l", units=2), "merge_mode": "concat"}}))
    refuse("selu.h5", "layer 'd2' (Dense): the activation 'selu' is not known", sequential(dense2("d2", 2, "selu")),
           stored + [("d2", [("d2/kernel:0", w), ("d2/bias:0", b)])])
    refuse("no_weights.h5", "layer 'd2' (Dense): weight is missing", sequential(dense2("d2", 2)))
    refuse("deep_json.h5", "nested deeper than 64 levels", json.loads("[" * 90 + "]" * 90))
    shared = {"class_name": "Model", "config": {"name": "m", "input_layers": [["i", 0, 0]],
                                                "output_layers": [["d", 1, 0]], "layers": [
        dict(layer("InputLayer", "i", batch_input_shape=[None, 2]), name="i", inbound_nodes=[]),
        dict(dense2("d", 2), name="d", inbound_nodes=[[["i", 0, 0, {}]], [["d", 0, 0, {}]]])]}}
    refuse("shared.h5", "layer 'd': is applied 2 times", shared)
    circle = json.loads(json.dumps(shared))
    circle["config"]["layers"][1]["inbound_nodes"] = [[["d", 0, 0, {}]]]
    refuse("circle.h5", "feed each other in a circle", circle)
    with h5py.File(path("config_only.h5"), "w") as f:
        f.attrs["model_config"] = json.dumps(sequential())
    EXPECTED.case("config_only.h5", says="has a model_config but no weights")
    with h5py.File(path("other.h5"), "w") as f:
        f.create_dataset("data/X", data=np.zeros((2, 2)))
    EXPECTED.case("other.h5", says="is no model in a known form (it holds data)")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        put(archive, "config.json", "{}")
        put(archive, "model.weights.h5", bytes(1000))
    data = bytearray(bomb.getvalue())
    place = data.rfind(b"model.weights.h5") - 46  # its entry in the central directory
    data[place + 24:place + 28] = struct.pack("<I", 2 ** 31)
    local = data.find(b"model.weights.h5") - 30
    data[local + 22:local + 26] = struct.pack("<I", 2 ** 31)
    with open(path("bomb.keras"), "wb") as f:
        f.write(bytes(data))
    EXPECTED.case("bomb.keras", says="states an impossible size")


# ------------------------------------------------------------------------------------------------ assay's own
def own():
    architecture = dense_arch()
    with h5py.File(path("assay.h5"), "w", libver=("v110", "v110"), track_order=True) as f:
        f.attrs["format"] = np.bytes_(b"assay/1")
        model = f.create_group("model", track_order=True)
        model.attrs["architecture"] = np.bytes_(json.dumps(architecture).encode())
        steps = {None: {}, 0: {}, 250: {}}
        for step in steps:
            group = model if step is None else f.create_group("run/checkpoints/%09d" % step)
            for name, shape in (("first", (4, 3)), ("second", (2, 4))):
                steps[step][name] = {"weight": normal(*shape), "bias": normal(shape[0])}
                for parameter, array in steps[step][name].items():
                    group.create_dataset("weights/%s/%s" % (name, parameter), data=array, track_times=False)
        model["weights/first"].attrs["gates"] = np.bytes_(b"r,z,n")
        f["run"].create_dataset("steps", data=np.array([0, 250], "<i8"), track_times=False)
    EXPECTED.case("assay.h5", "assay", architecture, steps[None], {"first": "r,z,n"})
    EXPECTED.case("assay.h5", "assay", architecture, steps[250], options={"checkpoint": "last"}, case="last")
    EXPECTED.case("assay.h5", "assay", architecture, steps[0], options={"checkpoint": "0"}, case="zero")
    EXPECTED.case("assay.h5", options={"checkpoint": "7"}, case="step", says="has no step 7; it has 2 from 0 to 250")


def l(one, *inputs):
    return dict(one, name=one["config"]["name"], inbound_nodes=node(*inputs) if inputs else [])


def write_graph(name, shape, layers, output, stored):
    layers = [l(layer("InputLayer", "in", batch_input_shape=[None, *shape]))] + layers
    named = dict(stored)
    write_keras(name, {"class_name": "Model", "config": {
        "name": "m", "layers": layers, "input_layers": [["in", 0, 0]], "output_layers": [[output, 0, 0]]}},
        [(one["name"], named.get(one["name"], [])) for one in layers], "2.4.0", "tensorflow")


def keras2_lines():
    """Layers over one dimension, and a convolution before a cell."""
    k, b, d, db, rows, bias = normal(3, 3, 4), normal(4), normal(2, 4, 2), normal(8), normal(16, 2), normal(2)
    gates = [normal(8, 9), normal(3, 9), normal(9)]
    x = RANDOM.standard_normal((2, 10, 3))
    h = np.pad(x, ((0, 0), (1, 2), (0, 0)))
    h = relu(np.einsum("ntec,ecf->ntf", np.nan_to_num(windows(h, [3], dilation=[2], padding="causal")), k.astype(float)) + b)
    h = windows(h, [2], [2]).max(-2)
    h = np.einsum("ntec,ecm->ntcm", np.nan_to_num(windows(h, [2], padding="same")), d.astype(float)).reshape(2, 6, 8) + db
    h = h.repeat(2, 1)[:, 1:-2]
    h = np.nanmean(windows(h, [3], [2], padding="same"), -2)
    y = np.concatenate([h.max(1), h.mean(1)], -1) @ rows.astype(float) + bias
    keys = dict(data_format="channels_last")
    layers = [l(layer("ZeroPadding1D", "pad", padding=[1, 2]), "in"),
              l(layer("Conv1D", "c", filters=4, kernel_size=[3], strides=[1], padding="causal", dilation_rate=[2],
                      activation="relu", use_bias=True, **keys), "pad"),
              l(layer("MaxPooling1D", "most2", pool_size=[2], strides=[2], padding="valid", **keys), "c"),
              l(layer("DepthwiseConv1D", "d", kernel_size=[2], strides=[1], padding="same", depth_multiplier=2,
                      activation="linear", use_bias=True, **keys), "most2"),
              l(layer("SpatialDropout1D", "drop", rate=0.5), "d"),
              l(layer("UpSampling1D", "up", size=2), "drop"),
              l(layer("Cropping1D", "crop", cropping=[1, 2]), "up"),
              l(layer("GaussianNoise", "noise", stddev=0.5), "crop"),
              l(layer("AveragePooling1D", "mean3", pool_size=[3], strides=[2], padding="same", **keys), "noise"),
              l(layer("GlobalMaxPooling1D", "most", **keys), "mean3"),
              l(layer("GlobalAveragePooling1D", "mean", **keys), "mean3"),
              l(layer("Concatenate", "join", axis=-1), "most", "mean"), l(dense2("out", 2), "join")]
    shared = [("c", [("c/kernel:0", k), ("c/bias:0", b)]), ("d", [("d/depthwise_kernel:0", d), ("d/bias:0", db)])]
    write_graph("keras2_lines.h5", (10, 3), layers, "out", shared + [("out", [("out/kernel:0", rows), ("out/bias:0", bias)])])
    conv1 = lambda name, **keys: dict({"name": name, "type": "conv1d", "stride": [1], "bias": True}, **keys)
    common = [
        {"name": "pad", "type": "zero_padding", "padding": [[1, 2]]},
        conv1("c", filters=4, kernel=[3], padding=[[4, 0]], dilation=[2]), function("c_relu", "relu"),
        {"name": "most2", "type": "max_pool", "kernel": [2], "stride": [2], "padding": "valid"},
        conv1("d", filters=8, kernel=[2], padding="same", groups=4),
        {"name": "up", "type": "upsample", "factor": [2]},
        {"name": "crop", "type": "cropping", "cropping": [[1, 2]]},
        {"name": "mean3", "type": "average_pool", "kernel": [3], "stride": [2], "padding": "same", "count_include_pad": False}]
    weights = {"c": {"weight": ours(k), "bias": b}, "d": {"weight": d.transpose(1, 2, 0).reshape(8, 1, 2), "bias": db}}
    EXPECTED.case("keras2_lines.h5", "keras-h5", arch([3, 10], ("channel", "length"), common + [
        {"name": "most", "type": "global_max_pool"},
        {"name": "mean", "type": "global_average_pool", "inputs": ["mean3"]},
        {"name": "join", "type": "concatenate", "inputs": ["most", "mean"], "axis": 0},
        {"name": "out", "type": "dense", "units": 2, "bias": True}]),
        dict(weights, out={"weight": rows.T, "bias": bias}), input=first(x), output=y)
    write_graph("keras2_line_cell.h5", (10, 3), layers[:9] + [
        l(layer("GRU", "g", units=3, activation="tanh", recurrent_activation="sigmoid", use_bias=True, reset_after=False,
                return_sequences=True), "mean3")], "g",
        shared + [("g", [("g/g/kernel:0", gates[0]), ("g/g/recurrent_kernel:0", gates[1]), ("g/g/bias:0", gates[2])])])
    EXPECTED.case("keras2_line_cell.h5", "keras-h5", arch([3, 10], ("channel", "length"), common + [
        {"name": "mean3_channels_last", "type": "permute", "axes": [1, 0], "sequence": True},
        {"name": "g", "type": "gru", "units": 3, "activation": "tanh", "recurrent_activation": "sigmoid",
         "reset_after": False, "bias": True, "recurrent_bias": False, "return_sequences": True}]),
        dict(weights, g={"kernel": gates[0].T, "recurrent": gates[1].T, "bias": gates[2]}), {"g": "z,r,n"},
        input=first(x), output=keras_gru(h, *gates, sigmoid, False))


def keras2_volumes():
    """Layers over three dimensions; global pooling of an image."""
    k, b, rows, bias = normal(2, 3, 2, 2, 3), normal(3), normal(6, 2), normal(2)
    x = RANDOM.standard_normal((2, 4, 5, 6, 2))
    h = np.pad(x, ((0, 0), (1, 0), (0, 1), (1, 1), (0, 0)))
    h = np.nan_to_num(windows(h, [2, 3, 2], [1, 2, 1], padding="same"))
    h = np.tanh(np.einsum("nijkec,ecf->nijkf", h, k.astype(float).reshape(12, 2, 3)) + b)
    h = h[:, :-1, :, 1:].repeat(2, 2)
    h = windows(h, [2, 2, 2], [2, 2, 2]).max(-2)
    h = np.nanmean(windows(h, [2, 1, 2], padding="same"), -2)
    flat = h.reshape(2, -1, 3)
    y = np.concatenate([flat.max(1), flat.mean(1)], -1) @ rows.astype(float) + bias
    keys = dict(data_format="channels_last")
    layers = [l(layer("ZeroPadding3D", "pad", padding=[[1, 0], [0, 1], [1, 1]], **keys), "in"),
              l(layer("Conv3D", "c", filters=3, kernel_size=[2, 3, 2], strides=[1, 2, 1], padding="same",
                      dilation_rate=[1, 1, 1], activation="tanh", use_bias=True, **keys), "pad"),
              l(layer("SpatialDropout3D", "drop", rate=0.5, **keys), "c"),
              l(layer("Cropping3D", "crop", cropping=[[0, 1], [0, 0], [1, 0]], **keys), "drop"),
              l(layer("UpSampling3D", "up", size=[1, 2, 1], **keys), "crop"),
              l(layer("MaxPooling3D", "most2", pool_size=[2, 2, 2], strides=[2, 2, 2], padding="valid", **keys), "up"),
              l(layer("AveragePooling3D", "mean2", pool_size=[2, 1, 2], strides=[1, 1, 1], padding="same", **keys), "most2"),
              l(layer("GlobalMaxPooling3D", "most", **keys), "mean2"),
              l(layer("GlobalAveragePooling3D", "mean", **keys), "mean2"),
              l(layer("Concatenate", "join", axis=-1), "most", "mean"), l(dense2("out", 2), "join")]
    write_graph("keras2_volumes.h5", (4, 5, 6, 2), layers, "out", [
        ("c", [("c/kernel:0", k), ("c/bias:0", b)]), ("out", [("out/kernel:0", rows), ("out/bias:0", bias)])])
    EXPECTED.case("keras2_volumes.h5", "keras-h5", arch([2, 4, 5, 6], ("channel", "depth", "height", "width"), [
        {"name": "pad", "type": "zero_padding", "padding": [[1, 0], [0, 1], [1, 1]]},
        {"name": "c", "type": "conv3d", "filters": 3, "kernel": [2, 3, 2], "stride": [1, 2, 1], "padding": "same", "bias": True},
        function("c_tanh", "tanh"),
        {"name": "crop", "type": "cropping", "cropping": [[0, 1], [0, 0], [1, 0]]},
        {"name": "up", "type": "upsample", "factor": [1, 2, 1]},
        {"name": "most2", "type": "max_pool", "kernel": [2, 2, 2], "stride": [2, 2, 2], "padding": "valid"},
        {"name": "mean2", "type": "average_pool", "kernel": [2, 1, 2], "stride": [1, 1, 1], "padding": "same",
         "count_include_pad": False},
        {"name": "most", "type": "global_max_pool"}, {"name": "mean", "type": "global_average_pool", "inputs": ["mean2"]},
        {"name": "join", "type": "concatenate", "inputs": ["most", "mean"], "axis": 0},
        {"name": "out", "type": "dense", "units": 2, "bias": True}]),
        {"c": {"weight": ours(k), "bias": b}, "out": {"weight": rows.T, "bias": bias}}, input=first(x), output=y)
    x = RANDOM.standard_normal((2, 4, 3, 5))
    write_graph("keras2_image.h5", (4, 3, 5), [l(layer("SpatialDropout2D", "drop", rate=0.5, **keys), "in"),
                                               l(layer("GlobalMaxPooling2D", "most", **keys), "drop"),
                                               l(layer("Softmax", "s", axis=-1), "most")], "s", [])
    EXPECTED.case("keras2_image.h5", "keras-h5", arch([5, 4, 3], IMAGE, [
        {"name": "most", "type": "global_max_pool"}, function("s", "softmax")]), {}, input=first(x),
        output=softmax(x.max((1, 2))))


def keras2_merges():
    """Layers with several inputs, and activations that are layers."""
    kernels, biases = [normal(5, 4) for _ in "abc"], [normal(4) for _ in "abc"]
    x = RANDOM.standard_normal((3, 5))
    a, b, c = (x @ k.astype(float) + bias for k, bias in zip(kernels, biases))
    leak = lambda z: np.where(z > 0, z, 0.1 * z)
    elu = lambda z: np.where(z > 0, z, 0.7 * np.expm1(z))
    product = (a - b) * c
    y = np.concatenate([leak(np.maximum(np.maximum(product, (a + b + c) / 3), relu(a))), elu(product), softmax(b)], -1)
    layers = [l(dense2(n, 4), "in") for n in "abc"] + [
        l(layer("Subtract", "minus"), "a", "b"), l(layer("Multiply", "times"), "minus", "c"),
        l(layer("Average", "mean"), "a", "b", "c"), l(layer("ReLU", "r", max_value=None, negative_slope=0.0, threshold=0.0), "a"),
        l(layer("Maximum", "most"), "times", "mean", "r"),
        l(layer("ReLU", "leak", max_value=None, negative_slope=0.1, threshold=0.0), "most"),
        l(layer("ELU", "e", alpha=0.7), "times"), l(layer("Softmax", "s", axis=-1), "b"),
        l(layer("Concatenate", "join", axis=-1), "leak", "e", "s")]
    write_graph("keras2_merges.h5", (5,), layers, "join", [
        (n, [(n + "/kernel:0", k), (n + "/bias:0", bias)]) for n, k, bias in zip("abc", kernels, biases)])
    unit = lambda n, **keys: dict({"name": n, "type": "dense", "units": 4, "bias": True}, **keys)
    merge = lambda n, type, *inputs: {"name": n, "type": type, "inputs": list(inputs)}
    EXPECTED.case("keras2_merges.h5", "keras-h5", arch([5], ["feature"], [
        unit("a"), unit("b", inputs=["input"]), unit("c", inputs=["input"]), merge("minus", "subtract", "a", "b"),
        merge("times", "multiply", "minus", "c"), merge("mean", "average", "a", "b", "c"), function("r", "relu", inputs=["a"]),
        merge("most", "maximum", "times", "mean", "r"), function("leak", "leaky_relu", slope=0.1),
        function("e", "elu", alpha=0.7, inputs=["times"]), function("s", "softmax", inputs=["b"]),
        dict(merge("join", "concatenate", "leak", "e", "s"), axis=0)]),
        {n: {"weight": k.T, "bias": bias} for n, k, bias in zip("abc", kernels, biases)}, input=x, output=y)


def keras2_steps():
    """A plain recurrent layer, and an LSTM of cuDNN."""
    k, r, b = normal(3, 4), normal(4, 4), normal(4)
    ck, cr, cb = normal(4, 8), normal(2, 8), normal(16)
    x = RANDOM.standard_normal((2, 5, 3))
    h, states = np.zeros((2, 4)), []
    for t in range(5):
        h = np.tanh(x[:, t] @ k.astype(float) + h @ r.astype(float) + b)
        states.append(h)
    nk, nr, both = native(ck, 4), native(cr, 4), cb.astype(float)[:8] + cb.astype(float)[8:]
    part = lambda a, i: a[..., 2 * i:2 * i + 2]
    y = keras_lstm(np.stack(states, 1), {g: (part(nk, i), part(nr, i), part(both, i)) for i, g in enumerate("ifco")}, sigmoid)
    write_graph("keras2_steps.h5", (5, 3), [
        l(layer("SimpleRNN", "s", units=4, activation="tanh", use_bias=True, return_sequences=True), "in"),
        l(layer("CuDNNLSTM", "c", units=2, return_sequences=True), "s")], "c", [
            ("s", [("s/kernel:0", k), ("s/recurrent_kernel:0", r), ("s/bias:0", b)]),
            ("c", [("c/kernel:0", ck), ("c/recurrent_kernel:0", cr), ("c/bias:0", cb)])])
    EXPECTED.case("keras2_steps.h5", "keras-h5", arch([5, 3], ("time", "feature"), [
        {"name": "s", "type": "rnn", "units": 4, "activation": "tanh", "bias": True, "recurrent_bias": False,
         "return_sequences": True},
        {"name": "c", "type": "lstm", "units": 2, "activation": "tanh", "recurrent_activation": "sigmoid", "bias": True,
         "recurrent_bias": True, "return_sequences": True}]),
        {"s": {"kernel": k.T, "recurrent": r.T, "bias": b},
         "c": {"kernel": nk.T, "recurrent": nr.T, "bias": cb[:8], "recurrent_bias": cb[8:]}}, {"c": "i,f,g,o"},
        input=x, output=y)


def tensorflow_cells():
    """Variables of TensorFlow 1 by name, as numpy keeps what a session returns."""
    x = RANDOM.standard_normal((2, 5, 2))

    def states(step, n):
        h, all_states = np.zeros((2, n)), []
        for t in range(5):
            h = step(x[:, t], h)
            all_states.append(h)
        return np.stack(all_states, 1)
    gk, gb, ck, cb, dk, db = (a.astype(float) for a in (normal(5, 6), normal(6), normal(5, 3), normal(3), normal(3, 2), normal(2)))

    def gru(x, h):
        r, u = np.split(sigmoid(np.hstack([x, h]) @ gk + gb), 2, 1)
        return u * h + (1 - u) * np.tanh(np.hstack([x, r * h]) @ ck + cb)
    variables = {"rnn/gru_cell/gates/kernel:0": gk, "rnn/gru_cell/gates/bias:0": gb, "rnn/gru_cell/candidate/kernel:0": ck,
                 "rnn/gru_cell/candidate/bias:0": cb, "dense/kernel:0": dk, "dense/bias:0": db}
    np.savez(path("tensorflow_gru.npz"), **variables)
    rows = np.hstack([gk, ck]).T
    EXPECTED.case("tensorflow_gru.npz", "npz", arch([1, 2], ("time", "feature"), [
        {"name": "rnn.gru_cell", "type": "gru", "units": 3, "reset_after": False, "bias": True, "recurrent_bias": False,
         "return_sequences": True}, {"name": "dense", "type": "dense", "units": 2, "bias": True}]),
        {"rnn.gru_cell": {"kernel": rows[:, :2], "recurrent": rows[:, 2:], "bias": np.hstack([gb, cb])},
         "dense": {"weight": dk.T, "bias": db}}, {"rnn.gru_cell": "r,z,n"}, notes=["time steps"], input=x,
        output=states(gru, 3) @ dk + db)
    k, b = normal(5, 12).astype(float), normal(12).astype(float)
    np.savez(path("tensorflow_lstm.npz"), **{"rnn/basic_lstm_cell/kernel:0": k, "rnn/basic_lstm_cell/bias:0": b})
    for case, options, forget in (("", {}, 1.0), ("none", {"forget_bias": 0}, 0.0)):
        def lstm(x, state):
            c, h = state[:, :3], state[:, 3:]
            i, j, f, o = np.split(np.hstack([x, h]) @ k + b, 4, 1)
            c = sigmoid(f + forget) * c + sigmoid(i) * np.tanh(j)
            return np.hstack([c, sigmoid(o) * np.tanh(c)])
        bias = b.copy()
        bias[6:9] += forget
        EXPECTED.case("tensorflow_lstm.npz", "npz", arch([1, 2], ("time", "feature"), [
            {"name": "rnn.basic_lstm_cell", "type": "lstm", "units": 3, "bias": True, "recurrent_bias": False,
             "return_sequences": True}]),
            {"rnn.basic_lstm_cell": {"kernel": k.T[:, :2], "recurrent": k.T[:, 2:], "bias": bias}},
            {"rnn.basic_lstm_cell": "i,g,f,o"}, options=options, notes=["--forget-bias"], input=x,
            output=states(lstm, 6)[:, :, 3:], case=case)
    k, b = normal(5, 6).astype(float), normal(6).astype(float)
    np.savez(path("tensorflow_ugrnn.npz"), **{"rnn/ugrnn_cell/kernel:0": k, "rnn/ugrnn_cell/bias:0": b})

    def ugrnn(x, h):
        g, c = np.split(np.hstack([x, h]) @ k + b, 2, 1)
        g = sigmoid(g + 1.0)
        return g * h + (1 - g) * np.tanh(c)
    EXPECTED.case("tensorflow_ugrnn.npz", "npz", arch([1, 2], ("time", "feature"), [
        {"name": "rnn.ugrnn_cell", "type": "ugrnn", "units": 3, "bias": True, "recurrent_bias": False,
         "return_sequences": True}]),
        {"rnn.ugrnn_cell": {"kernel": k.T[:, :2], "recurrent": k.T[:, 2:], "bias": b + np.repeat([1.0, 0.0], 3)}},
        {"rnn.ugrnn_cell": "u,c"}, options={"cell": "ugrnn"}, input=x, output=states(ugrnn, 3))
    lower, upper = normal(5, 3).astype(float), normal(5, 2).astype(float)
    lb, ub = normal(3).astype(float), normal(2).astype(float)
    scope = "rnn/multi_rnn_cell/cell_%d/basic_rnn_cell/"
    np.savez(path("tensorflow_stack.npz"), **{scope % 1 + "kernel:0": upper, scope % 1 + "bias:0": ub,
                                              scope % 0 + "kernel:0": lower, scope % 0 + "bias:0": lb})

    def stack(x, h):
        one = np.tanh(np.hstack([x, h[:, :3]]) @ lower + lb)
        return np.hstack([one, np.tanh(np.hstack([one, h[:, 3:]]) @ upper + ub)])
    name = scope.replace("/", ".")[:-1]
    cell = lambda d, units: {"name": name % d, "type": "rnn", "units": units, "activation": "tanh", "bias": True,
                             "recurrent_bias": False, "return_sequences": True}
    EXPECTED.case("tensorflow_stack.npz", "npz", arch([1, 2], ("time", "feature"), [cell(0, 3), cell(1, 2)]),
                  {name % 0: {"kernel": lower.T[:, :2], "recurrent": lower.T[:, 2:], "bias": lb},
                   name % 1: {"kernel": upper.T[:, :3], "recurrent": upper.T[:, 3:], "bias": ub}}, notes=["tanh was assumed"],
                  input=x, output=states(stack, 5)[:, :, 3:])
    np.savez(path("tensorflow_peepholes.npz"), **{"rnn/lstm_cell/kernel:0": normal(5, 12), "rnn/lstm_cell/bias:0": normal(12),
                                                  "rnn/lstm_cell/w_f_diag:0": normal(3)})
    EXPECTED.case("tensorflow_peepholes.npz", says="peepholes")
    np.savez(path("tensorflow_shape.npz"), **{"rnn/gru_cell/gates/kernel:0": normal(5, 6), "rnn/gru_cell/gates/bias:0": normal(6),
                                              "rnn/gru_cell/candidate/kernel:0": normal(5, 4),
                                              "rnn/gru_cell/candidate/bias:0": normal(4)})
    EXPECTED.case("tensorflow_shape.npz", says="has a kernel of 5 x 4 and a bias of 4")


def keras_transposed(x, kernel, bias, stride, padding, dilation=None, output_padding=None):
    """conv_transpose of Keras on TensorFlow: the gradient, with respect to its image, of a convolution by kernel (k..., out,
    in) with `padding` of an image as long as deconv_output_length says."""
    x, kernel = np.asarray(x, float), np.asarray(kernel, float)
    size, axes = kernel.shape[:-2], kernel.ndim - 2
    dilation, given = dilation or [1] * axes, output_padding or [None] * axes
    cells, before = [], []
    for n, k, s, d, more in zip(x.shape[1:-1], size, stride, dilation, given):
        k += (k - 1) * (d - 1)
        if more is None:
            length = n * s if padding == "same" else n * s + max(k - s, 0)
        else:
            length = (n - 1) * s + k - 2 * (k // 2 if padding == "same" else 0) + more
        total = max((n - 1) * s + k - length, 0) if padding == "same" else 0
        assert n == (-(-length // s) if padding == "same" else (length - k) // s + 1)
        cells.append(length)
        before.append(total // 2)
    y = np.zeros((len(x), *cells, kernel.shape[-2]))
    for place in np.ndindex(*x.shape[1:-1]):
        for element in np.ndindex(*size):
            cell = tuple(p * s + e * d - b for p, s, e, d, b in zip(place, stride, element, dilation, before))
            if all(0 <= c < n for c, n in zip(cell, cells)):
                y[(slice(None), *cell)] += x[(slice(None), *place)] @ kernel[element].T
    return y + bias


def torch_transposed():
    """Transposed convolutions as torch.nn makes them, matched by name to an architecture of the user's."""
    torch.manual_seed(4)
    model = nn.Sequential(OrderedDict([("up", nn.ConvTranspose2d(4, 6, (3, 2), stride=(2, 3), padding=1, output_padding=(1, 2), groups=2)),
                                       ("act", nn.Tanh()), ("wide", nn.ConvTranspose2d(6, 2, 3, dilation=2, bias=False))]))
    x = torch.randn(2, 4, 3, 2, dtype=torch.float64)
    state = model.state_dict()
    architecture = arch([4, 3, 2], IMAGE, [
        {"name": "up", "type": "conv2d_transpose", "filters": 6, "kernel": [3, 2], "stride": [2, 3], "padding": [[1, 1], [1, 1]],
         "output_padding": [1, 2], "groups": 2}, function("act", "tanh"),
        {"name": "wide", "type": "conv2d_transpose", "filters": 2, "kernel": [3, 3], "dilation": [2, 2], "bias": False}])
    weights = {"up": {"weight": numpy_of(state["up.weight"]), "bias": numpy_of(state["up.bias"])},
               "wide": {"weight": numpy_of(state["wide.weight"])}}
    save("transposed.pt", state)
    EXPECTED.case("transposed.pt", "torch-zip", architecture, weights, options={"architecture": architecture}, input=x,
                  output=numpy_of(model.double()(x)))
    wrong = json.loads(json.dumps(architecture))
    wrong["layers"][0]["groups"] = 1
    EXPECTED.case("transposed.pt", options={"architecture": wrong}, case="groups",
                  says="weight of layer 'up' is 4 x 3 x 3 x 2; any x 6 x 3 x 2 is expected")


def keras2_transposed():
    """Transposed convolutions: same and valid, strides above the kernel, output_padding, one dimension."""
    ks = [normal(3, 3, 4, 2), normal(2, 1, 3, 4), normal(3, 3, 2, 3), normal(4, 2, 2, 2)]
    b, b4 = normal(4), normal(2)
    x = RANDOM.standard_normal((2, 3, 2, 2))
    h = relu(keras_transposed(x, ks[0], b, [2, 2], "same"))
    h = keras_transposed(h, ks[1], 0, [1, 3], "valid")
    h = np.tanh(keras_transposed(h, ks[2], 0, [2, 2], "same", output_padding=[1, 0]))
    y = keras_transposed(h, ks[3], b4, [1, 3], "valid", output_padding=[0, 2])
    def up(name, filters, kernel, stride, padding, bias=True, **keys):
        return layer("Conv2DTranspose", name, **{**dict(filters=filters, kernel_size=kernel, strides=stride, padding=padding,
                     output_padding=None, data_format="channels_last", dilation_rate=[1, 1], activation="linear", use_bias=bias), **keys})
    layers = [l(up("a", 4, [3, 3], [2, 2], "same", activation="relu"), "in"), l(up("b", 3, [2, 1], [1, 3], "valid", False), "a"),
              l(up("c", 2, [3, 3], [2, 2], "same", False, output_padding=[1, 0], activation="tanh"), "b"),
              l(up("d", 2, [4, 2], [1, 3], "valid", output_padding=[0, 2]), "c")]
    write_graph("keras2_transposed.h5", (3, 2, 2), layers, "d", [
        ("a", [("a/kernel:0", ks[0]), ("a/bias:0", b)]), ("b", [("b/kernel:0", ks[1])]), ("c", [("c/kernel:0", ks[2])]),
        ("d", [("d/kernel:0", ks[3]), ("d/bias:0", b4)])])
    def ours_up(name, filters, kernel, stride, cut, more, bias=True):
        return {"name": name, "type": "conv2d_transpose", "filters": filters, "kernel": kernel, "stride": stride,
                "padding": cut, "output_padding": more, "bias": bias}
    EXPECTED.case("keras2_transposed.h5", "keras-h5", arch([2, 3, 2], IMAGE, [
        ours_up("a", 4, [3, 3], [2, 2], [[0, 1], [0, 1]], [0, 0]), function("a_relu", "relu"),
        ours_up("b", 3, [2, 1], [1, 3], [[0, 0], [0, 0]], [0, 2], False),
        ours_up("c", 2, [3, 3], [2, 2], [[0, 1], [1, 1]], [0, 0], False), function("c_tanh", "tanh"),
        ours_up("d", 2, [4, 2], [1, 3], [[0, 0], [0, 0]], [0, 2])]),
        {"a": {"weight": ours(ks[0]), "bias": b}, "b": {"weight": ours(ks[1])}, "c": {"weight": ours(ks[2])},
         "d": {"weight": ours(ks[3]), "bias": b4}}, input=first(x), output=first(y))
    k, b = normal(3, 2, 3), normal(2)
    x = RANDOM.standard_normal((2, 2, 3))
    one = lambda **keys: [l(layer("Conv1DTranspose", "c", **{**dict(filters=2, kernel_size=[3], strides=[1], padding="valid",
        output_padding=None, data_format="channels_last", dilation_rate=[2], activation="linear", use_bias=True), **keys}), "in")]
    stored = [("c", [("c/kernel:0", k), ("c/bias:0", b)])]
    write_graph("keras2_transposed_line.h5", (2, 3), one(), "c", stored)
    EXPECTED.case("keras2_transposed_line.h5", "keras-h5", arch([3, 2], ("channel", "length"), [
        {"name": "c", "type": "conv1d_transpose", "filters": 2, "kernel": [3], "stride": [1], "dilation": [2],
         "padding": [[0, 0]], "output_padding": [0], "bias": True}]),
        {"c": {"weight": ours(k), "bias": b}}, input=first(x), output=first(keras_transposed(x, k, b, [1], "valid", [2])))
    write_graph("keras2_transposed_causal.h5", (2, 3), one(padding="causal"), "c", stored)
    EXPECTED.case("keras2_transposed_causal.h5", says="padding: expected valid or same, found causal")
    # Keras 3, whose archives keep arrays by order alone.
    c = keras3_layer("Conv2DTranspose", "up", ["in"], filters=4, kernel_size=[3, 3], strides=[2, 2], padding="same",
                     output_padding=None, data_format="channels_last", dilation_rate=[1, 1], activation="linear", use_bias=False)
    s = keras3_layer("SeparableConv2D", "sep", ["up"], filters=2, kernel_size=[2, 2], strides=[1, 1], padding="valid",
                     data_format="channels_last", dilation_rate=[1, 1], depth_multiplier=1, activation="linear", use_bias=True)
    config = {"module": "keras.src.models.functional", "class_name": "Functional", "registered_name": "Functional", "config": {
        "name": "functional", "layers": [keras3_layer("InputLayer", "in", [], batch_shape=[None, 3, 2, 2]), c, s],
        "input_layers": ["in", 0, 0], "output_layers": ["sep", 0, 0]}}
    deep, point, bias = normal(2, 2, 4, 1), normal(1, 1, 4, 2), normal(2)
    write_archive("keras3_spatial.keras", config, {"layers/input_layer": [], "layers/conv2d_transpose": [ks[0]],
                                                   "layers/separable_conv2d": [deep, point, bias]})
    x = RANDOM.standard_normal((2, 3, 2, 2))
    y = keras_separable(keras_transposed(x, ks[0], 0, [2, 2], "same"), deep, point, bias)
    EXPECTED.case("keras3_spatial.keras", "keras-v3", arch([2, 3, 2], IMAGE, [
        ours_up("up", 4, [3, 3], [2, 2], [[0, 1], [0, 1]], [0, 0], False),
        convolution("sep_depthwise", 4, (2, 2), bias=False, groups=4), convolution("sep", 2, (1, 1))]),
        {"up": {"weight": ours(ks[0])}, "sep_depthwise": {"weight": deep.transpose(2, 3, 0, 1).reshape(4, 1, 2, 2)},
         "sep": {"weight": ours(point), "bias": bias}}, input=first(x), output=first(y))


def keras_separable(x, depthwise, pointwise, bias, stride=None, dilation=None, padding="valid"):
    """separable_conv of Keras: each channel by its own filters, then all together cell by cell."""
    size = depthwise.shape[:-2]
    h = np.nan_to_num(windows(x, list(size), stride, dilation, padding))
    h = np.einsum("...ec,ecm->...cm", h, depthwise.astype(float).reshape(-1, *depthwise.shape[-2:]))
    return h.reshape(*h.shape[:-2], -1) @ pointwise.astype(float).reshape(pointwise.shape[-2:]) + bias


def keras2_separable():
    deep, point, b = normal(3, 2, 3, 2), normal(1, 1, 6, 4), normal(4)
    x = RANDOM.standard_normal((2, 5, 6, 3))
    keys = dict(data_format="channels_last")
    write_graph("keras2_separable.h5", (5, 6, 3), [l(layer(
        "SeparableConv2D", "s", filters=4, kernel_size=[3, 2], strides=[2, 2], padding="same", dilation_rate=[1, 1],
        depth_multiplier=2, activation="relu", use_bias=True, **keys), "in")], "s", [
            ("s", [("s/depthwise_kernel:0", deep), ("s/pointwise_kernel:0", point), ("s/bias:0", b)])])
    EXPECTED.case("keras2_separable.h5", "keras-h5", arch([3, 5, 6], IMAGE, [
        convolution("s_depthwise", 6, (3, 2), (2, 2), "same", False, groups=3), convolution("s", 4, (1, 1)), function("s_relu", "relu")]),
        {"s_depthwise": {"weight": deep.transpose(2, 3, 0, 1).reshape(6, 1, 3, 2)}, "s": {"weight": ours(point), "bias": b}},
        input=first(x), output=first(relu(keras_separable(x, deep, point, b, [2, 2], padding="same"))))
    deep, point = normal(3, 2, 1), normal(1, 2, 3)
    x = RANDOM.standard_normal((2, 6, 2))
    write_graph("keras2_separable_line.h5", (6, 2), [l(layer(
        "SeparableConv1D", "s", filters=3, kernel_size=[3], strides=[1], padding="causal", dilation_rate=[2], depth_multiplier=1,
        activation="linear", use_bias=False, **keys), "in")], "s", [
            ("s", [("s/depthwise_kernel:0", deep), ("s/pointwise_kernel:0", point)])])
    EXPECTED.case("keras2_separable_line.h5", "keras-h5", arch([2, 6], ("channel", "length"), [
        {"name": "s_depthwise", "type": "conv1d", "filters": 2, "kernel": [3], "stride": [1], "dilation": [2], "padding": [[4, 0]],
         "bias": False, "groups": 2},
        {"name": "s", "type": "conv1d", "filters": 3, "kernel": [1], "stride": [1], "padding": "valid", "bias": False}]),
        {"s_depthwise": {"weight": deep.transpose(1, 2, 0).reshape(2, 1, 3)}, "s": {"weight": ours(point)}},
        input=first(x), output=first(keras_separable(x, deep, point, 0, dilation=[2], padding="causal")))


def keras_simple(x, kernel, recurrent, bias, phi=np.tanh):
    h, states = np.zeros((len(x), recurrent.shape[0])), []
    for t in range(x.shape[1]):
        h = phi(x[:, t] @ kernel.astype(float) + h @ recurrent.astype(float) + bias)
        states.append(h)
    return np.stack(states, 1)


def bidirectional(name, inner, merge, **keys):
    """inner: class and config of the layer that goes forwards."""
    return layer("Bidirectional", name, merge_mode=merge, layer={"class_name": inner["class_name"], "config": inner["config"]}, **keys)


def keras_both_ends():
    """Layers that read a sequence from both ends, or from its end."""
    n = 2
    lf, lb = [(normal(3, 8), normal(2, 8), normal(8)) for _ in "fb"]
    gf, gb = [(normal(3, 6), normal(2, 6), normal(6)) for _ in "fb"]
    sk = normal(4, 3), normal(3, 3), normal(3)
    gates = lambda k, r, b: {g: (k[:, 2 * i:2 * i + 2], r[:, 2 * i:2 * i + 2], b[2 * i:2 * i + 2]) for i, g in enumerate("ifco")}
    x = RANDOM.standard_normal((2, 5, 3))
    # The second layer sees time reversed; what it says is turned back where all steps are kept.
    h = np.concatenate([keras_lstm(x, gates(*lf), sigmoid), keras_lstm(x[:, ::-1], gates(*lb), sigmoid)[:, ::-1]], -1)
    h = keras_simple(h[:, ::-1], *sk)  # go_backwards alone: in the order in which it was made
    y = keras_gru(h, *gf, sigmoid, False)[:, -1] + keras_gru(h[:, ::-1], *gb, sigmoid, False)[:, -1]
    lstm = layer("LSTM", "l", units=n, activation="tanh", recurrent_activation="sigmoid", use_bias=True, return_sequences=True, go_backwards=False)
    gru = layer("GRU", "g", units=n, activation="tanh", recurrent_activation="sigmoid", use_bias=True, reset_after=False,
                return_sequences=False, go_backwards=False)
    simple = layer("SimpleRNN", "s", units=3, activation="tanh", use_bias=True, return_sequences=True, go_backwards=True)
    names = ("kernel", "recurrent_kernel", "bias")
    stored = [("b", [("b/%s_l/lstm_cell/%s:0" % (way, w), a) for way, arrays in (("forward", lf), ("backward", lb)) for w, a in zip(names, arrays)]),
              ("s", [("s/%s:0" % w, a) for w, a in zip(names, sk)]),
              ("t", [("t/%s_g/%s:0" % (way, w), a) for way, arrays in (("forward", gf), ("backward", gb)) for w, a in zip(names, arrays)])]
    write_graph("keras2_both_ends.h5", (5, 3), [l(bidirectional("b", lstm, "concat"), "in"), l(simple, "b"),
                                               l(bidirectional("t", gru, "sum"), "s")], "t", stored)
    cell = lambda name, type, units=n, **keys: dict({"name": name, "type": type, "units": units, "activation": "tanh", "bias": True,
                                                     "recurrent_bias": False}, **keys)
    ours_lstm = lambda name, **keys: cell(name, "lstm", recurrent_activation="sigmoid", return_sequences=True, **keys)
    ours_gru = lambda name, **keys: cell(name, "gru", recurrent_activation="sigmoid", reset_after=False, return_sequences=False, **keys)
    turn = lambda name, **keys: dict({"name": name, "type": "reverse"}, **keys)
    part = lambda arrays: dict(zip(("kernel", "recurrent", "bias"), (arrays[0].T, arrays[1].T, arrays[2])))
    EXPECTED.case("keras2_both_ends.h5", "keras-h5", arch([5, 3], ("time", "feature"), [
        ours_lstm("b_forward"), turn("b_backward_input", inputs=["input"]), ours_lstm("b_backward"), turn("b_backward_output"),
        {"name": "b", "type": "concatenate", "inputs": ["b_forward", "b_backward_output"], "axis": 1},
        turn("s_input"), cell("s", "rnn", 3, return_sequences=True),
        ours_gru("t_forward"), turn("t_backward_input", inputs=["s"]), ours_gru("t_backward"),
        {"name": "t", "type": "add", "inputs": ["t_forward", "t_backward"]}]),
        {"b_forward": part(lf), "b_backward": part(lb), "s": part(sk), "t_forward": part(gf), "t_backward": part(gb)},
        {"b_forward": "i,f,g,o", "b_backward": "i,f,g,o", "t_forward": "z,r,n", "t_backward": "z,r,n"}, input=x, output=y)
    # Products and means; a second layer of its own, one that goes backwards first.
    arrays = [(normal(3, 2), normal(2, 2), normal(2)) for _ in range(4)]
    run = lambda a, x, phi=np.tanh: keras_simple(x, *a, phi)
    y = np.concatenate([run(arrays[0], x[:, ::-1]) * run(arrays[1], x)[:, ::-1],
                        (run(arrays[2], x) + run(arrays[3], x[:, ::-1], relu)[:, ::-1]) / 2], -1)
    plain = lambda **keys: layer("SimpleRNN", "p", **{**dict(units=2, activation="tanh", use_bias=True, return_sequences=True), **keys})
    second = plain(activation="relu", go_backwards=True)
    write_graph("keras2_both_ends_merges.h5", (5, 3), [
        l(bidirectional("m", plain(go_backwards=True), "mul"), "in"),
        l(bidirectional("a", plain(), "ave", backward_layer=second), "in"),
        l(layer("Concatenate", "join", axis=-1), "m", "a")], "join", [
            (name, [("%s/%s_p/%s:0" % (name, way, w), v) for way, a in zip(("forward", "backward"), both) for w, v in zip(names, a)])
            for name, both in (("m", arrays[:2]), ("a", arrays[2:]))])
    rnn = lambda name, **keys: cell(name, "rnn", return_sequences=True, **keys)
    EXPECTED.case("keras2_both_ends_merges.h5", "keras-h5", arch([5, 3], ("time", "feature"), [
        turn("m_forward_input"), rnn("m_forward"), rnn("m_backward", inputs=["input"]), turn("m_backward_output"),
        {"name": "m", "type": "multiply", "inputs": ["m_forward", "m_backward_output"]},
        rnn("a_forward", inputs=["input"]), turn("a_backward_input", inputs=["input"]), rnn("a_backward", activation="relu"),
        turn("a_backward_output"), {"name": "a", "type": "average", "inputs": ["a_forward", "a_backward_output"]},
        {"name": "join", "type": "concatenate", "inputs": ["m", "a"], "axis": 1}]),
        {"m_forward": part(arrays[0]), "m_backward": part(arrays[1]), "a_forward": part(arrays[2]), "a_backward": part(arrays[3])},
        input=x, output=y)
    odd = [("b", stored[0][1][:-1])]
    for file, merge, weights, says in (("keras2_both_ends_apart.h5", None, stored[:1], "merge_mode: expected concat, sum, mul or ave, found null"),
                                       ("keras2_both_ends_max.h5", "max", stored[:1], "merge_mode: expected concat, sum, mul or ave, found max"),
                                       ("keras2_both_ends_odd.h5", "sum", odd, "holds 5 arrays; as many of each of two layers are expected")):
        write_graph(file, (5, 3), [l(bidirectional("b", lstm, merge), "in")], "b", weights)
        EXPECTED.case(file, says=says)
    # Keras 3: a folder for each of both.
    body = [{"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, 5, 3]}}, bidirectional("b", lstm, "concat")]
    write_archive("keras3_both_ends.keras", {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": body}}, {
        "layers/bidirectional": [], "layers/bidirectional/forward_layer": [], "layers/bidirectional/forward_layer/cell": list(lf),
        "layers/bidirectional/backward_layer": [], "layers/bidirectional/backward_layer/cell": list(lb)})
    EXPECTED.case("keras3_both_ends.keras", "keras-v3", arch([5, 3], ("time", "feature"), [
        ours_lstm("b_forward"), turn("b_backward_input", inputs=["input"]), ours_lstm("b_backward"), turn("b_backward_output"),
        {"name": "b", "type": "concatenate", "inputs": ["b_forward", "b_backward_output"], "axis": 1}]),
        {"b_forward": part(lf), "b_backward": part(lb)}, {"b_forward": "i,f,g,o", "b_backward": "i,f,g,o"}, input=x,
        output=np.concatenate([keras_lstm(x, gates(*lf), sigmoid), keras_lstm(x[:, ::-1], gates(*lb), sigmoid)[:, ::-1]], -1))


def check_outputs(cases):
    """Architecture and arrays, both written down by hand above, must give the outputs computed in the other
    software's own terms, when make_network_oracle.py evaluates them."""
    from make_network_oracle import run_torch
    checked = 0
    for case in cases:
        if "output" not in case:
            continue
        for layer in case["architecture"]["layers"]:
            if layer["name"] in case["gates"]:
                layer["_gates"] = case["gates"][layer["name"]]

        def tensor(stored):
            return torch.tensor(stored["values"], dtype=torch.float64).reshape(stored["shape"])
        weights = {layer: {name: tensor(stored) for name, stored in arrays.items()}
                   for layer, arrays in case["weights"].items()}
        difference = (run_torch(case["architecture"], weights, tensor(case["input"])) - tensor(case["output"])).abs().max()
        # Cells and batch norm of torch ran in float32.
        assert difference < 1e-6, (case["file"], case["case"], float(difference))
        checked += 1
    print(checked, "outputs agree")


def main():
    global EXPECTED
    os.makedirs(OUT, exist_ok=True)
    for name in os.listdir(OUT):
        os.unlink(path(name))
    EXPECTED = Expected()
    for make in (torch_mlp, torch_types, torch_recurrent, torch_wrappers, torch_hostile, safetensors, npz, keras2,
                 keras2_graph, keras2_shapes, keras2_cells, keras1, keras1_graph, keras_recurrent, keras3, keras_refused, own,
                 keras2_lines, keras2_volumes, keras2_merges, keras2_steps, tensorflow_cells, keras2_transposed, keras2_separable,
                 keras_both_ends, torch_transposed):
        make()
    EXPECTED.write("expected.json")
    check_outputs(EXPECTED.cases)
    print(len(os.listdir(OUT)), "files,", sum(os.path.getsize(path(n)) for n in os.listdir(OUT)) // 1024, "KB")


if __name__ == "__main__":
    main()
