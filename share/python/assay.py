"""The assay tools as Python functions, made from what each tool says of itself (TOOL --help-json).

    import assay
    fit = assay.cnmf.fit("rec.h5", components=5)          # an HDF5 file, or FILE:/path
    fit = assay.cnmf.fit(X, components=5, lags=20)        # or a numpy array (units x time)
    fit.W                                                 # (component, unit, lag), as numpy
    fit["/cnmf/fit/H"], fit.paths(), fit.attributes("/cnmf/fit/W")["axes"], fit.summary["relative_loss"]
    assay.cnmf.plot(fit, output="motifs.svg")
    help(assay.cnmf.fit)

A tool is a module attribute (tensor-amp is assay.tensor_amp), a subcommand its method, an option a keyword: --max-iterations 9
is max_iterations=9, a flag is True or False, a list option takes a list. Inputs and options that name a file take a path, an
earlier result, an array, or {"/path": array, ...}; arrays travel in a temporary HDF5 file. Without output="FILE" the result
lives in a temporary file for as long as the object does; save("FILE") keeps it, and only then can it be copied or pickled.

Ctrl-C waits until the tool has saved what it can resume from, and is assay.Stopped, a KeyboardInterrupt; a signal to the tool
alone is assay.Interrupted. `state` of either names the folder:

    try:
        fit = assay.cnmf.fit(X, components=5)
    except (assay.Stopped, assay.Interrupted) as stopped:
        fit = assay.cnmf.fit(X, components=5, resume=True, state=stopped.state)

The tools are looked for in the folder that ASSAY_BIN names, then on PATH. Each call is one process: in a Python of mpirun's a
tool is no rank of it (OMPI_COMM_WORLD_SIZE, PMIX_RANK, PMI_SIZE and MV2_COMM_WORLD_SIZE are not handed on); to let ranks share
the work of one command, start that under mpirun. Needs numpy and h5py.
"""
import functools
import inspect
import json
import keyword
import os
import pickle
import re
import shutil
import signal
import subprocess
import tempfile
import warnings
import weakref

import h5py
import numpy

TOOLS = ("cnmf", "tensor-amp", "fixedpoints", "attribute", "hessian-spectrum", "lindyn", "checkpoint")
# What the functions give themselves.
OWN_OPTIONS = {"--output", "--json", "--quiet", "--verbose", "--config-print"}
# By these a tool knows that it is a rank of mpirun's; it would enter MPI in the name of the Python that calls it.
RANK_VARIABLES = ("OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_SIZE", "MV2_COMM_WORLD_SIZE")
ARRAYS = (numpy.ndarray, list, tuple)


class Error(RuntimeError):
    """A command that failed; its one line says why. `status` is its exit status, `state` the folder from which the same call
    with resume=True, state=... goes on, or None."""

    def __init__(self, message, status, state=None):
        super().__init__(message, status, state)
        self.status = status
        self.state = state

    def __str__(self):
        return self.args[0]


class UsageError(Error, ValueError):
    """A wrong option or configuration (status 2)."""


class Interrupted(Error):
    """Work that stopped with a state from which resume=True goes on (status 75)."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C while a tool worked; `state` as in Error."""

    def __init__(self, message, state=None):
        super().__init__(message)
        self.state = state


def _program(tool):
    folder = os.environ.get("ASSAY_BIN")
    found = shutil.which(tool, path=folder) if folder else shutil.which(tool)
    if found is None:
        raise Error("%s: is not %s" % (tool, "in " + folder if folder else "on PATH; ASSAY_BIN may name its folder"), 1)
    return found


def _write_arrays(name, arrays):
    """An HDF5 file of {path: array}."""
    with h5py.File(name, "w") as file:
        for path, array in arrays.items():
            array = numpy.asarray(array)
            if array.dtype.kind not in "biuf":
                raise TypeError("%s: found an array of %s; numbers are expected" % (path, array.dtype))
            file[path] = array


def _place(array):
    """Where an array by itself is looked for: a recording, or a tensor of three and more modes."""
    return "/data/tensor" if numpy.ndim(array) > 2 else "/data/X"


class _Call:
    """The words of one command line, and the files that they name: in a folder that nobody else can open."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="assay-")
        self.state = None  # where the work keeps what it can resume from
        self.own_state = False  # made for this call
        self._count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.own_state and self.saved_state() is None:
            shutil.rmtree(self.state, ignore_errors=True)

    def new_name(self, suffix):
        self._count += 1
        return os.path.join(self.folder, "%d%s" % (self._count, suffix))

    def keep_state(self, target, given):
        """`given` by the caller, beside a target that has a name, or in a folder of its own."""
        if given is not None:
            self.state = os.fspath(given)
        elif target is not None:
            self.state = target + ".parts"
        else:
            self.state = tempfile.mkdtemp(prefix="assay-state-")
            self.own_state = True

    def saved_state(self):
        """The folder of a state that was saved, or None."""
        saved = self.state is not None and os.path.isdir(self.state) and os.listdir(self.state)
        return os.path.abspath(self.state) if saved else None

    def stored(self, arrays):
        name = self.new_name(".h5")
        _write_arrays(name, arrays)
        return name

    def input_word(self, value):
        if isinstance(value, Result):
            return value.file
        if isinstance(value, dict):
            return self.stored(value)
        if isinstance(value, ARRAYS):
            return self.stored({_place(value): value})
        return os.fspath(value)

    def option_words(self, option, value):
        name = next(one for one in option["names"] if one.startswith("--"))
        if option["type"] == "flag":
            count = int(value)
            return [name] * count if option["repeatable"] else [name] * bool(count)
        if isinstance(value, Result):
            value = value.file
        elif _names_file(option) and isinstance(value, dict):
            value = self.stored(value)
        elif _takes_array(option, value):
            value = self.stored({"/data/X": value}) + ":/data/X"
        elif isinstance(value, ARRAYS) and numpy.ndim(value) == 1:
            value = ",".join(_word(one) for one in value)
        elif isinstance(value, ARRAYS + (dict,)):
            raise TypeError("%s: found a %s; %s is expected" % (name[2:], type(value).__name__, option["value"]))
        return ["%s=%s" % (name, _word(value))]


def _names_file(option):
    """FILE, FILE:/path, FILE[:/group], PATH, perhaps among other words; FILE.json and such are no HDF5 files."""
    return option["type"] == "text" and any(re.fullmatch(r"PATH|FILE(:/\w+|\[:/\w+\])?", one)
                                            for one in option["value"].split("|"))


def _takes_array(option, value):
    return _names_file(option) and isinstance(value, ARRAYS)


def _place_beside(inputs, options, values):
    """Arrays of options that name a PATH in the input's file join the input's arrays there."""
    inside = {name: value for name, value in values.items()
              if options[name]["value"] == "PATH" and _takes_array(options[name], value)}
    if not inside:
        return inputs, values
    if len(inputs) != 1 or not isinstance(inputs[0], ARRAYS + (dict,)):
        raise TypeError("%s: an array there needs an array as the input; of a file a path in it is expected"
                        % ", ".join(inside))
    arrays = dict(inputs[0]) if isinstance(inputs[0], dict) else {_place(inputs[0]): inputs[0]}
    places = {name: "/data/" + name for name in inside}
    arrays.update({places[name]: value for name, value in inside.items()})
    return (arrays,), {**values, **places}


def _word(value):
    if isinstance(value, (bool, numpy.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, numpy.floating)):
        return repr(float(value))
    return str(value)


class Result:
    """A file that a command wrote. result["/path"] is a numpy array (or text); result.NAME the dataset of that name in the
    step's own group; `summary` what the command reported; `file` its name."""

    def __init__(self, file, groups=(), summary=None, temporary=False):
        self.file = os.path.abspath(file)
        self.summary = summary or {}
        self._groups = tuple(groups)
        self._opened = None
        self._temporary = temporary
        if temporary:
            # With its folder, which holds nothing else.
            weakref.finalize(self, shutil.rmtree, os.path.dirname(self.file), ignore_errors=True)

    def __reduce__(self):
        if self._temporary:
            raise pickle.PicklingError("a temporary result cannot be copied or pickled; save(FILE) gives one that can")
        return Result, (self.file, self._groups, self.summary)

    @property
    def h5(self):
        """The opened h5py.File."""
        if self._opened is None:
            self._opened = h5py.File(self.file, "r")
        return self._opened

    def paths(self):
        """Paths of all datasets."""
        found = []
        self.h5.visititems(lambda name, item: found.append("/" + name) if isinstance(item, h5py.Dataset) else None)
        return found

    def attributes(self, path="/"):
        return {name: _plain(value) for name, value in self.h5[path].attrs.items()}

    def __getitem__(self, path):
        item = self.h5[path]
        if isinstance(item, h5py.Group):
            return {name: self[item.name + "/" + name] for name in item}
        return _plain(item[()])

    def __contains__(self, path):
        return path in self.h5

    def __getattr__(self, name):
        if name.startswith("_") or name == "file":
            raise AttributeError(name)
        for group in self._groups:
            path = group.rstrip("/") + "/" + name
            if path in self.h5:
                return self[path]
        raise AttributeError("%s holds no %s in %s" % (self.file, name, " or ".join(self._groups) or "a group of its own"))

    def __dir__(self):
        names = [name for group in self._groups if group in self.h5 for name in self.h5[group]]
        return sorted(set(super().__dir__()) | set(names))

    def save(self, file):
        """A copy under a name."""
        shutil.copyfile(self.file, file)
        return Result(file, self._groups, self.summary)

    def close(self):
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __repr__(self):
        return "<assay.Result %s: %s>" % (self.file, ", ".join(self._groups))


def _plain(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, numpy.ndarray) and value.dtype.kind in "SO":
        return [_plain(one) for one in value.tolist()]
    return value


def _groups(command):
    """The step's own groups, from the paths of its outputs: /cnmf/fit/W lies in /cnmf/fit."""
    groups = []
    for item in command["outputs"]:
        parts = [part for part in item["path"].split("/") if part and "<" not in part]
        for depth in (2, 1):
            group = "/" + "/".join(parts[:depth])
            if len(parts) >= depth and group not in groups:
                groups.append(group)
    return sorted(groups, key=lambda group: -group.count("/"))


def _communicate(process):
    """What the process printed, and whether Ctrl-C came: the tool then saves its state, which takes as long as it takes."""
    stopped = False
    while True:
        try:
            return process.communicate() + (stopped,)
        except KeyboardInterrupt:
            # A terminal has told the tool as well, a notebook or `kill` perhaps not; within a second it is the same request.
            stopped = True
            process.send_signal(signal.SIGINT)


def _run(program, words, call=None):
    environment = {name: value for name, value in os.environ.items() if name not in RANK_VARIABLES}
    process = subprocess.Popen([program] + words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment)
    printed, said, stopped = _communicate(process)
    status = process.returncode
    if status == 0 and not stopped:
        return printed
    said = said.decode("utf-8", "replace").splitlines()
    message = said[-1] if said else "%s ended with status %d" % (os.path.basename(program), status)
    # A mistake says nothing of a state that lay there before.
    state = call.saved_state() if call and (call.own_state or stopped or status == 75 or status < 0) else None
    if state is not None:
        message += "; resume=True, state=%r goes on" % state
    if stopped:
        raise Stopped(message, state)
    raise {2: UsageError, 75: Interrupted}.get(status, Error)(message, status, state)


def _in_folder_of_its_own(file):
    return shutil.move(file, tempfile.mkdtemp(prefix="assay-"))


class Command:
    """One subcommand: calling it runs it. Made from the tool's own declaration, as is its documentation."""

    def __init__(self, tool, declaration):
        self._tool = tool
        self._declaration = declaration
        self._options = {_keyword(option): option for option in declaration["options"]
                         if not OWN_OPTIONS & set(option["names"])}
        self.__name__ = self.__qualname__ = _identifier(declaration["name"])
        self.__doc__ = self._documentation()
        self.__signature__ = self._signature()

    def _documentation(self):
        d = self._declaration
        lines = ["%s %s: %s" % (self._tool, d["name"], d["summary"]), "", d["description"]]
        if d["input"] != "none":
            lines += ["", "Input: " + d["input_meaning"]]
        lines += ["", "Options:"]
        for name, option in self._options.items():
            facts = "; ".join(filter(None, [", ".join(option.get("choices", [])),
                                            "default " + option["default"] if option["default"] else ""]))
            lines.append("    %s: %s%s" % (name, option["description"], " [%s]" % facts if facts else ""))
        if d["outputs"]:
            lines += ["", "Result:"] + ["    %s: %s" % (item["path"], item["meaning"]) for item in d["outputs"]]
        return "\n".join(lines)

    def _signature(self):
        kind = inspect.Parameter
        parameters = []
        if self._declaration["input"] == "one":
            parameters.append(kind("input_file", kind.POSITIONAL_ONLY, default=None))
        elif self._declaration["input"] == "several":
            parameters.append(kind("input_files", kind.VAR_POSITIONAL))
        names = list(self._options) + (["output"] if self._declaration["output"] != "none" else [])
        parameters += [kind(name, kind.KEYWORD_ONLY, default=None) for name in names]
        return inspect.Signature(parameters)

    def __call__(self, *inputs, output=None, **options):
        d = self._declaration
        most = {"none": 0, "one": 1, "several": None}[d["input"]]
        if most is not None and len(inputs) > most:
            raise TypeError("%s takes %d inputs, found %d" % (self.__name__, most, len(inputs)))
        for name in options:
            if name not in self._options:
                raise TypeError("%s knows no option %s; help(assay.%s.%s) lists them"
                                % (self.__name__, name, _identifier(self._tool), self.__name__))
        if output is not None and d["output"] == "none":
            raise TypeError("%s writes no output" % self.__name__)
        inputs, options = _place_beside(inputs, self._options, options)
        with _Call() as call:
            words = []
            makes_hdf5 = d["output"] in ("hdf5", "hdf5_if_wanted")
            target = None if output is None else os.fspath(output)
            if "state" in self._options:
                call.keep_state(target, options.get("state"))
                if call.own_state:
                    options["state"] = call.state
            for name, value in options.items():
                if value is not None:
                    words += call.option_words(self._options[name], value)
            if makes_hdf5 and output is None:
                target = call.new_name(".h5")
            if target is not None:
                words.append("--output=" + target)
            summary = call.new_name(".json")
            words += ["--json=" + summary, "--quiet", "--"] + [call.input_word(one) for one in inputs]
            printed = _run(_program(self._tool), [d["name"]] + words, call)
            with open(summary) as file:
                report = json.load(file)
            for warning in report["warnings"]:
                warnings.warn(warning, stacklevel=2)
            if not makes_hdf5:
                return printed if output is None else os.path.abspath(target)
            if output is None:
                target = _in_folder_of_its_own(target)
            return Result(target, _groups(d), report["result"], temporary=output is None)

    def __repr__(self):
        return "<assay %s %s: %s>" % (self._tool, self._declaration["name"], self._declaration["summary"])


def _identifier(name):
    name = name.replace("-", "_")
    return name + "_" if keyword.iskeyword(name) else name


def _keyword(option):
    return _identifier(next(name for name in option["names"] if name.startswith("--"))[2:])


class Tool:
    """A tool; its subcommands are attributes."""

    def __init__(self, name):
        self._name = name
        self._said = json.loads(_run(_program(name), ["--help-json"]))
        self.version = self._said["version"]
        self.__doc__ = "%s: %s" % (name, self._said["summary"])
        for declaration in self._said["commands"]:
            setattr(self, _identifier(declaration["name"]), Command(name, declaration))

    def __repr__(self):
        return "<assay %s %s>" % (self._name, self.version)


@functools.lru_cache(maxsize=None)
def _tool(name):
    return Tool(name)


def __getattr__(name):
    """Tools are asked on first use (PEP 562)."""
    tool = name.replace("_", "-")
    if tool in TOOLS:
        return _tool(tool)
    raise AttributeError("module 'assay' has no attribute %r" % name)


def __dir__():
    return sorted(list(globals()) + [_identifier(tool) for tool in TOOLS])
