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
lives in a temporary file for as long as the object does.

The tools are looked for in the folder that ASSAY_BIN names, then on PATH. Needs numpy and h5py.
"""
import functools
import inspect
import json
import keyword
import os
import shutil
import subprocess
import tempfile
import warnings
import weakref

import h5py
import numpy

TOOLS = ("cnmf", "tensor-amp", "fixedpoints", "attribute", "hessian-spectrum", "lindyn", "checkpoint")
# What the functions give themselves.
OWN_OPTIONS = {"--output", "--json", "--quiet", "--verbose", "--config-print"}


class Error(RuntimeError):
    """A command that failed; its one line says why. `status` is its exit status."""

    def __init__(self, message, status):
        super().__init__(message)
        self.status = status


class UsageError(Error, ValueError):
    """A wrong option or configuration (status 2)."""


class Interrupted(Error):
    """Work that stopped with a state from which resume=True goes on (status 75)."""


def _program(tool):
    folder = os.environ.get("ASSAY_BIN")
    found = shutil.which(tool, path=folder) if folder else shutil.which(tool)
    if found is None:
        raise Error("%s: is not %s" % (tool, "in " + folder if folder else "on PATH; ASSAY_BIN may name its folder"), 1)
    return found


def _write_arrays(arrays):
    """A temporary HDF5 file of {path: array}; returns its name."""
    handle, name = tempfile.mkstemp(prefix="assay-", suffix=".h5")
    os.close(handle)
    try:
        with h5py.File(name, "w") as file:
            for path, array in arrays.items():
                array = numpy.asarray(array)
                if array.dtype.kind not in "biuf":
                    raise TypeError("%s: found an array of %s; numbers are expected" % (path, array.dtype))
                file[path] = array
    except BaseException:
        os.remove(name)
        raise
    return name


def _place(array):
    """Where an array by itself is looked for: a recording, or a tensor of three and more modes."""
    return "/data/tensor" if numpy.ndim(array) > 2 else "/data/X"


class _Call:
    """The words of one command line, and the temporary files that they name."""

    def __init__(self):
        self.temporary = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in self.temporary:
            if os.path.exists(name):
                os.remove(name)

    def new_file(self, suffix):
        handle, name = tempfile.mkstemp(prefix="assay-", suffix=suffix)
        os.close(handle)
        self.temporary.append(name)
        return name

    def stored(self, arrays):
        name = _write_arrays(arrays)
        self.temporary.append(name)
        return name

    def input_word(self, value):
        if isinstance(value, Result):
            return value.file
        if isinstance(value, dict):
            return self.stored(value)
        if isinstance(value, (numpy.ndarray, list, tuple)):
            return self.stored({_place(value): value})
        return os.fspath(value)

    def option_words(self, option, value):
        name = next(one for one in option["names"] if one.startswith("--"))
        if option["type"] == "flag":
            count = int(value)
            return [name] * count if option["repeatable"] else [name] * bool(count)
        if isinstance(value, Result):
            value = value.file
        elif _takes_array(option, value):
            value = self.stored({"/data/X": value}) + ":/data/X"
        elif isinstance(value, (list, tuple, numpy.ndarray)):
            value = ",".join(_word(one) for one in value)
        return ["%s=%s" % (name, _word(value))]


def _takes_array(option, value):
    return option["type"] == "text" and not option["list"] and isinstance(value, (numpy.ndarray, list))


def _place_beside(inputs, options, values):
    """Arrays of options that name a PATH in the input's file join the input's arrays there."""
    inside = {name: value for name, value in values.items()
              if options[name]["value"] == "PATH" and _takes_array(options[name], value)}
    if not inside:
        return inputs, values
    if len(inputs) != 1 or not isinstance(inputs[0], (dict, numpy.ndarray, list, tuple)):
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
        if temporary:
            weakref.finalize(self, Result._remove, self.file)

    @staticmethod
    def _remove(file):
        if os.path.exists(file):
            os.remove(file)

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
        if not name.startswith("_"):
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


def _run(program, words):
    done = subprocess.run([program] + words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").splitlines()
        message = said[-1] if said else "%s ended with status %d" % (os.path.basename(program), done.returncode)
        raise {2: UsageError, 75: Interrupted}.get(done.returncode, Error)(message, done.returncode)
    return done.stdout


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
            for name, value in options.items():
                if value is not None:
                    words += call.option_words(self._options[name], value)
            makes_hdf5 = d["output"] in ("hdf5", "hdf5_if_wanted")
            target = None if output is None else os.fspath(output)
            if makes_hdf5 and output is None:
                # Its name exists already: only we know it.
                target = call.new_file(".h5")
                words.append("--force")
            if target is not None:
                words.append("--output=" + target)
            summary = call.new_file(".json")
            os.remove(summary)
            words += ["--json=" + summary, "--quiet", "--"] + [call.input_word(one) for one in inputs]
            printed = _run(_program(self._tool), [d["name"]] + words)
            with open(summary) as file:
                report = json.load(file)
            for warning in report["warnings"]:
                warnings.warn(warning, stacklevel=2)
            if not makes_hdf5:
                return printed if output is None else os.path.abspath(target)
            result = Result(target, _groups(d), report["result"], temporary=output is None)
            if output is None:
                call.temporary.remove(target)
            return result

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
