#!/usr/bin/env python3
"""Write the fixture files of test/reference/formats/ and the arrays a reader must get from them.

usage: make_format_fixtures.py [--out DIR] [--check]

Needs numpy, scipy and h5py. The output is the same byte for byte on every run with the same library
versions: there is no random number, no clock and no object time in it. `--check` builds everything
in a temporary directory and compares it with DIR instead of writing there.

The values are short dyadic fractions wherever a format may store float32, so that tests can compare
exactly. Matrices are units x time unless a fixture exists to be the other way round.

Layout of expected.h5
    /<file name>/<path inside the file>        one group a case (no inner path for flat files)
        X                                      what a reader returns, float64, units x time
        other datasets                         named in README.md
        attributes  outcome                    ok: X must be read exactly so
                                               error: the reader must refuse
                                               depends: the caller's policy decides
                    note                       why, in words
                    says                       a part of the message that refuses it
                    dt, axes, ...              only where the file itself tells them
A case that is an error because of the whole file has its attributes on /<file name>.
"""

import argparse
import filecmp
import io
import os
import struct
import sys
import tempfile
import uuid
import zipfile
import zlib

import h5py
import numpy as np
import scipy.io
import scipy.sparse

DT = 0.01  # bin width of every spike-count case, in seconds


# ---------------------------------------------------------------------------------------------
# Shared small tools
# ---------------------------------------------------------------------------------------------

def pattern(units, bins, scale=0.125):
    """A units x bins matrix of exact multiples of `scale`, no two rows or columns alike."""
    u, t = np.meshgrid(np.arange(units), np.arange(bins), indexing="ij")
    return ((7 * u + 3 * t + u * t) % 23).astype(np.float64) * scale


def bin_count(start, stop, dt):
    """Number of bins in [start, stop); a stop on a bin edge up to rounding opens no further bin."""
    return int(np.ceil((stop - start) / dt - 1e-9))


def bin_spikes(trains, start, stop, dt=DT):
    """Counts (units x bins) and the number of spikes outside [start, stop)."""
    counts = np.zeros((len(trains), bin_count(start, stop, dt)))
    outside = 0
    for row, train in enumerate(trains):
        for s in train:
            if start <= s < stop:
                counts[row, int(np.floor((s - start) / dt + 1e-9))] += 1
            else:
                outside += 1
    return counts, outside


def put(parent, name, data, **options):
    """A dataset without object times."""
    return parent.create_dataset(name, data=data, track_times=False, **options)


class Expected:
    """Collects the cases of expected.h5.

    The file is of the newer HDF5 form (1.10), whose groups take some hundred bytes instead of over
    a thousand. Such groups carry times unless told not to, hence the creation lists.
    """

    def __init__(self, path):
        access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_LATEST)
        creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
        creation.set_obj_track_times(False)
        self.plain_group = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
        self.plain_group.set_obj_track_times(False)
        self.file = h5py.File(h5py.h5f.create(path.encode(), h5py.h5f.ACC_TRUNC, creation, access))

    def group(self, path):
        """The group at a path, made with all its parents where it is not there yet."""
        here = self.file
        for name in (p for p in path.split("/") if p):
            if name not in here:
                h5py.h5g.create(here.id, name.encode(), gcpl=self.plain_group)
            here = here[name]
        return here

    def case(self, file_name, inner="", outcome="ok", note="", attributes=None, **arrays):
        """One case; every keyword that is left is a dataset of the case."""
        group = self.group(file_name + "/" + inner)
        group.attrs["outcome"] = outcome
        if note:
            group.attrs["note"] = note
        for key, value in (attributes or {}).items():
            group.attrs[key] = value
        for key, value in arrays.items():
            value = np.asarray(value)
            if key in ("X", "trials", "times", "raw", "value"):
                value = value.astype(np.float64)
            self.store(group, key, value)
        return group

    @staticmethod
    def store(group, name, values):
        """A dataset, compressed where that pays."""
        values = np.asarray(values)
        packed = {"chunks": values.shape, "compression": "gzip"} if values.nbytes > 1000 else {}
        return put(group, name, values, **packed)

    def counts(self, group, name, trains, start, stop, dt=DT):
        """A dataset of spike counts that carries the window it was made with."""
        counts, outside = bin_spikes(trains, start, stop, dt)
        dataset = self.store(group, name, counts)
        dataset.attrs["start"] = start
        dataset.attrs["stop"] = stop
        dataset.attrs["dt"] = dt
        dataset.attrs["outside"] = outside

    def spike_list(self, group, times, ids, start, stop):
        """The cases of a list of (unit, time) pairs.

        X has a row for each number that occurs, X_range one for each number from the least to the
        greatest, so that a unit without a spike keeps its row.
        """
        times, ids = np.asarray(times, float), np.asarray(ids, np.int64)
        put(group, "times", times)
        put(group, "ids", ids)
        ranges = (("X", "unit_id", np.unique(ids)),
                  ("X_range", "unit_id_range", np.arange(ids.min(), ids.max() + 1)))
        for name, id_name, units in ranges:
            put(group, id_name, units)
            self.counts(group, name, [times[ids == u] for u in units], start, stop)

    def close(self):
        self.file.close()


# ---------------------------------------------------------------------------------------------
# Plain HDF5
# ---------------------------------------------------------------------------------------------

def make_plain_hdf5(out, expected):
    x = pattern(5, 12)
    dt = 0.02

    with h5py.File(os.path.join(out, "other.h5"), "w") as other:
        linked = put(other, "x", pattern(3, 6, scale=0.5))
        linked.attrs["axes"] = "unit,time"

    integers = np.round(x * 1000).astype(np.int32)
    integers[4, 11] = 2147483647
    small = (x * 8).astype(np.uint8)
    small[0, 0] = 255
    truth = x > 1.0
    negative = x.copy()
    negative[1, 4], negative[1, 9], negative[3, 2] = -0.5, -2.5, -0.125
    with_nan = x.copy()
    with_nan[2, 3] = np.nan
    with_inf = x.copy()
    with_inf[3, 7] = np.inf
    rank3 = pattern(6, 10).reshape(3, 4, 5)
    deep = pattern(4, 9, scale=0.25)
    square = pattern(10, 10)
    chunked = pattern(64, 200)
    compound = np.zeros(4, dtype=[("unit", "<i4"), ("time", "<f8")])
    compound["unit"], compound["time"] = np.arange(4), np.arange(4) * 0.25

    with h5py.File(os.path.join(out, "plain.h5"), "w") as f:
        data = f.create_group("data")

        def matrix(name, values, axes="unit,time", timing=("dt", dt), **options):
            d = put(data, name, values, **options)
            if axes:
                d.attrs["axes"] = axes
            if timing:
                d.attrs[timing[0]] = timing[1]

        matrix("X", x)
        matrix("X_t", x.T, axes="time,unit")
        matrix("X_int32", integers, timing=("rate_hz", 50.0))
        matrix("X_uint8", small)
        matrix("X_bool", truth)
        matrix("X_f32be", x.astype(">f4"))
        matrix("nan", with_nan)
        matrix("inf", with_inf)
        matrix("negative", negative)
        matrix("rank3", rank3, axes=None, timing=None)
        matrix("scalar", np.float64(3.5), axes=None, timing=None)
        matrix("strings", np.array(["a", "bcd", ""], dtype=object), axes=None, timing=None,
               dtype=h5py.string_dtype("utf-8"))
        matrix("complex", x + 1j, axes="unit,time", timing=None)
        matrix("empty", np.zeros((0, 10)))
        matrix("square", square, axes=None, timing=None)
        matrix("chunked", chunked, chunks=(7, 33), compression="gzip", compression_opts=6,
               shuffle=True)
        matrix("compound", compound, axes=None, timing=None)
        put(f.create_group("other/deep"), "matrix", deep)
        f["soft"] = h5py.SoftLink("/data/X")
        f["dangling"] = h5py.SoftLink("/data/absent")
        f["external"] = h5py.ExternalLink("other.h5", "/x")

    told = {"dt": dt, "axes": "unit,time"}
    case = expected.case
    case("plain.h5", "data/X", attributes=told, X=x)
    case("plain.h5", "data/X_t", attributes={"dt": dt, "axes": "time,unit"}, X=x)
    case("plain.h5", "data/X_int32", attributes=told, note="time step given as rate_hz = 50",
         X=integers)
    case("plain.h5", "data/X_uint8", attributes=told, X=small)
    case("plain.h5", "data/X_bool", attributes=told, note="HDF5 enumeration FALSE, TRUE", X=truth)
    case("plain.h5", "data/X_f32be", attributes=told, X=x)
    case("plain.h5", "data/nan", attributes={**told, "first_unit": 2, "first_time": 3}, X=with_nan)
    case("plain.h5", "data/inf", attributes={**told, "first_unit": 3, "first_time": 7}, X=with_inf)
    case("plain.h5", "data/negative",
         attributes={**told, "first_unit": 1, "first_time": 4, "count": 3, "least": -2.5},
         X=negative)
    case("plain.h5", "data/rank3", "depends", "rank 3: a tensor, not a matrix", X=rank3)
    case("plain.h5", "data/scalar", "error", "a scalar")
    case("plain.h5", "data/strings", "error", "strings of variable length")
    case("plain.h5", "data/complex", "error", "complex numbers (compound r, i)")
    case("plain.h5", "data/empty", "error", "0 units x 10 bins")
    case("plain.h5", "data/square", "ok", "square without axes: time is axis 1, with a warning",
         X=square)
    case("plain.h5", "data/chunked", attributes=told, X=chunked)
    case("plain.h5", "data/compound", "error", "a table (compound unit, time)")
    case("plain.h5", "other/deep/matrix", "ok", "no axes: time is axis 1", X=deep)
    case("plain.h5", "soft", attributes=told, note="soft link to /data/X", X=x)
    case("plain.h5", "dangling", "error", "soft link to nothing")
    case("plain.h5", "external", "depends",
         "external link to other.h5:/x; X is what following it gives", X=pattern(3, 6, scale=0.5))
    case("other.h5", "x", attributes={"axes": "unit,time"}, X=pattern(3, 6, scale=0.5))


# ---------------------------------------------------------------------------------------------
# NWB 2
# ---------------------------------------------------------------------------------------------

# Times on a bin edge whose quotient by 0.01 falls below the whole number in double arithmetic
# (0.57, 1.15) or above it (0.07), a spike at each end of the window, two in one bin, some outside.
NWB_TRAINS = [
    [],
    [-0.25, 0.0, 0.07, 0.29, 0.3, 0.57, 1.15, 1.99, 2.0, 2.5],
    [0.2, 0.205, 0.2051, 0.49, 0.6, 0.61, 1.1, 1.395],
    [],
    [round(0.015 + 0.04 * k, 3) for k in range(50)],
    [0.5, 0.5, 0.505, 0.58, 0.9, 1.5, 1.51, 1.795],
    [],
]
NWB_IDS = [3, 7, 8, 11, 12, 20, 21]
NWB_TRIALS = [(0.2, 0.5), (0.6, 0.9), (1.1, 1.4), (1.5, 1.8)]


def ragged(rows):
    """All rows one after another, and where each ends."""
    flat = [value for row in rows for value in row]
    return flat, np.cumsum([len(row) for row in rows])


class NwbFile:
    """The parts of an NWB 2 file that every NWB writer puts into it, and typed objects."""

    def __init__(self, path, title):
        self.file = h5py.File(path, "w")
        self.title = title
        root = self.file
        root.attrs["namespace"] = "core"
        root.attrs["neurodata_type"] = "NWBFile"
        root.attrs["nwb_version"] = "2.6.0"
        root.attrs["object_id"] = self.identity("/")
        moment = "2020-01-01T00:00:00+00:00"
        text = h5py.string_dtype("utf-8")
        put(root, "identifier", title, dtype=text)
        put(root, "session_description", "made for tests of a reader", dtype=text)
        put(root, "session_start_time", moment, dtype=text)
        put(root, "timestamps_reference_time", moment, dtype=text)
        put(root, "file_create_date", np.array([moment], dtype=object), dtype=text)
        for name in ("acquisition", "analysis", "general", "intervals", "processing",
                     "stimulus/presentation", "stimulus/templates"):
            root.create_group(name)

    def identity(self, path):
        """An object identity that depends on the file and the place only."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.title + path))

    def type(self, thing, kind, namespace="core", **attributes):
        """Mark a group or dataset with its NWB type."""
        thing.attrs["neurodata_type"] = kind
        thing.attrs["namespace"] = namespace
        thing.attrs["object_id"] = self.identity(thing.name)
        for key, value in attributes.items():
            thing.attrs[key] = value
        return thing

    def table(self, path, kind, description, columns, namespace="core", ids=()):
        """A DynamicTable with its id column."""
        group = self.file.create_group(path)
        self.type(group, kind, namespace, description=description)
        group.attrs.create("colnames", np.array(columns, dtype=object),
                           shape=(len(columns),), dtype=h5py.string_dtype("utf-8"))
        identity = put(group, "id", np.asarray(ids, dtype=np.int64))
        self.type(identity, "ElementIdentifiers", "hdmf-common")
        return group

    def column(self, table, name, values, description, ends=None, **attributes):
        """A column; with `ends` a ragged one, whose index is as narrow as NWB writers make it."""
        data = put(table, name, values)
        self.type(data, "VectorData", "hdmf-common", description=description, **attributes)
        if ends is not None:
            ends = np.asarray(ends)
            index = put(table, name + "_index",
                        ends.astype(np.uint8 if ends.max() < 256 else np.uint16))
            self.type(index, "VectorIndex", "hdmf-common",
                      description="ends of the rows of " + name)
            index.attrs["target"] = data.ref

    def series(self, path, kind, values, conversion=1.0, offset=0.0, unit="n.a.", rate=None,
               starting_time=0.0, timestamps=None, **options):
        """A TimeSeries, time first."""
        group = self.file.create_group(path)
        self.type(group, kind, comments="no comments", description="made by formula")
        data = put(group, "data", values, **options)
        data.attrs["conversion"] = np.float32(conversion)
        data.attrs["offset"] = np.float32(offset)
        data.attrs["resolution"] = np.float32(-1.0)
        data.attrs["unit"] = unit
        if timestamps is not None:
            stamps = put(group, "timestamps", timestamps)
            stamps.attrs["interval"] = np.int32(1)
            stamps.attrs["unit"] = "seconds"
        else:
            begin = put(group, "starting_time", np.float64(starting_time))
            begin.attrs["rate"] = np.float32(rate)
            begin.attrs["unit"] = "seconds"
        return group


def make_nwb(out, expected):
    intervals = [(0.0, 1.0), (1.0, 2.0)]
    raw = (pattern(4, 30, scale=1.0) - 3).astype(np.int16)
    one = pattern(1, 20)[0]
    rois = pattern(3, 40)
    even = 2.0 + 0.125 * np.arange(40)
    nearly = even + 0.0002 * (-1.0) ** np.arange(40)  # steps differ from 0.125 by 0.32 %
    uneven = even.copy()
    uneven[25:] += 0.0125  # one gap is 10 % too long

    nwb = NwbFile(os.path.join(out, "units.nwb"), "units.nwb")
    units = nwb.table("units", "Units", "spike times of seven units",
                      ["spike_times", "obs_intervals"], ids=NWB_IDS)
    flat, ends = ragged(NWB_TRAINS)
    nwb.column(units, "spike_times", np.array(flat), "times in seconds", ends, resolution=1 / 30000)
    nwb.column(units, "obs_intervals", np.array(intervals * len(NWB_TRAINS)),
               "when each unit was observed", 2 * np.arange(1, len(NWB_TRAINS) + 1))

    trials = nwb.table("intervals/trials", "TimeIntervals", "four trials of equal length",
                       ["start_time", "stop_time"], ids=np.arange(len(NWB_TRIALS)))
    nwb.column(trials, "start_time", np.array([a for a, _ in NWB_TRIALS]), "seconds")
    nwb.column(trials, "stop_time", np.array([b for _, b in NWB_TRIALS]), "seconds")

    nwb.series("acquisition/rate_series", "TimeSeries", raw.T, conversion=0.25, offset=1.5,
               unit="volts", rate=30.0, starting_time=0.25)
    nwb.series("acquisition/one_channel", "TimeSeries", one, rate=20.0)

    nwb.type(nwb.file.create_group("processing/ophys"), "ProcessingModule",
             description="optical physiology")
    nwb.type(nwb.file.create_group("processing/ophys/Fluorescence"), "Fluorescence")
    segmentation = nwb.file.create_group("processing/ophys/ImageSegmentation")
    nwb.type(segmentation, "ImageSegmentation")
    plane = nwb.table("processing/ophys/ImageSegmentation/PlaneSegmentation", "PlaneSegmentation",
                      "three regions", [], ids=np.arange(3))
    for name, stamps in (("RoiResponseSeries", even), ("RoiResponseSeries_nearly", nearly),
                         ("RoiResponseSeries_uneven", uneven)):
        group = nwb.series("processing/ophys/Fluorescence/" + name, "RoiResponseSeries",
                           rois.T.astype(np.float32), timestamps=stamps, chunks=(16, 3),
                           compression="gzip", compression_opts=4)
        region = put(group, "rois", np.arange(3, dtype=np.int32))
        nwb.type(region, "DynamicTableRegion", "hdmf-common", description="all regions")
        region.attrs["table"] = plane.ref
    nwb.file.close()

    case = expected.case("units.nwb", "units",
                         note="X and X_window: counts at the attributes start, stop, dt; trials: "
                              "unit x time x trial, each trial binned from its own start",
                         attributes={"dt": DT}, ids=NWB_IDS, obs_intervals=intervals,
                         segment_start=[0, 100], times=flat, ends=ends.astype(np.int64))
    expected.counts(case, "X", NWB_TRAINS, 0.0, 2.0)
    expected.counts(case, "X_window", NWB_TRAINS, 0.5, 1.5)
    expected.counts(case, "X_coarse", NWB_TRAINS, 0.0, 2.0, dt=0.03)
    cut = np.stack([bin_spikes(NWB_TRAINS, a, b)[0] for a, b in NWB_TRIALS], axis=2)
    tensor = expected.store(case, "trials", cut)
    tensor.attrs["dt"] = DT
    put(case, "trial_start", np.array([a for a, _ in NWB_TRIALS]))
    put(case, "trial_stop", np.array([b for _, b in NWB_TRIALS]))

    case = expected.case
    case("units.nwb", "acquisition/rate_series", note="X = raw * conversion + offset",
         attributes={"dt": 1 / 30.0, "start": 0.25, "conversion": 0.25, "offset": 1.5},
         X=raw * 0.25 + 1.5, raw=raw)
    case("units.nwb", "acquisition/one_channel", note="data of rank 1: one unit",
         attributes={"dt": 0.05, "start": 0.0}, X=one[None, :])
    fluorescence = "processing/ophys/Fluorescence/"
    case("units.nwb", fluorescence + "RoiResponseSeries", note="time stamps exactly even",
         attributes={"dt": 0.125, "start": 2.0}, X=rois)
    case("units.nwb", fluorescence + "RoiResponseSeries_nearly",
         note="time stamps even to 0.32 % of dt: read, dt only about 0.125",
         attributes={"dt": 0.125, "start": float(nearly[0])}, X=rois)
    case("units.nwb", fluorescence + "RoiResponseSeries_uneven", "error",
         "one step between time stamps 10 % too long", attributes={"first_uneven": 25})

    for name, bad, note, where in (
            ("bad_index.nwb", [3, 2, 7], "spike_times_index falls from 3 to 2", 1),
            ("beyond_index.nwb", [3, 5, 9], "spike_times_index ends at 9, there are 7 times", 2)):
        nwb = NwbFile(os.path.join(out, name), name)
        units = nwb.table("units", "Units", "broken on purpose", ["spike_times"], ids=[0, 1, 2])
        nwb.column(units, "spike_times", 0.1 * np.arange(1, 8), "times in seconds", bad)
        nwb.file.close()
        expected.case(name, "units", "error", note,
                      attributes={"index": where, "value": bad[where], "times": 7})


def make_broken_nwb(out, expected):
    """One file with units tables and series that contradict themselves, one group each."""
    name = "contradictions.nwb"
    nwb = NwbFile(os.path.join(out, name), name)
    times = 0.1 * np.arange(1, 8)

    def units(case, says, note, ends=(3, 5, 7), ids=(0, 1, 2), observed=None, **attributes):
        table = nwb.table("processing/" + case, "Units", note, ["spike_times"])
        del table["id"]
        put(table, "id", np.asarray(ids))
        put(table, "spike_times", times)
        put(table, "spike_times_index", np.asarray(ends))
        for column, values in (observed or {}).items():
            put(table, column, np.asarray(values))
        expected.case(name, "processing/" + case, "error", note, {"says": says, **attributes})

    units("short", "ends at 5; the number of values, 7,", "spike_times_index leaves out two spikes",
          ends=(3, 4, 5))
    units("fractional", "holds 4.5; whole numbers", "a fraction in spike_times_index",
          ends=(3.0, 4.5, 7.0))
    units("two_ids", "/id: has 2 entries", "three units, two ids", ids=(0, 1))
    units("fractional_ids", "holds 1.5; whole numbers", "a fraction among the ids",
          ids=(0.0, 1.5, 2.0))
    units("apart", "no time in which all units up to unit 2", "observed at different times",
          observed={"obs_intervals": [[0, 0.4], [0.2, 0.8], [0.5, 0.9]],
                    "obs_intervals_index": [1, 2, 3]})
    units("unobserved", "no time in which all units up to unit 1", "a unit without an interval",
          observed={"obs_intervals": [[0, 1], [0, 1]], "obs_intervals_index": [1, 1, 2]})
    units("backwards", "a later end is expected", "an interval that ends before it starts",
          observed={"obs_intervals": [[0, 1], [1, 0], [0, 1]], "obs_intervals_index": [1, 2, 3]})
    units("two_observed", "obs_intervals_index: has 2 entries", "intervals of two units of three",
          observed={"obs_intervals": [[0, 1], [0, 1]], "obs_intervals_index": [1, 2]})
    units("no_index", "obs_intervals_index: not in the file", "intervals without an index",
          observed={"obs_intervals": [[0, 1], [0, 1], [0, 1]]})

    # Every unit states the same stretch twice, overlapping: 0 to 0.5 s, and 0.5 to 1 s.
    doubled = [[0.0, 0.3], [0.5, 1.0], [0.2, 0.5], [0.5, 1.0]]
    table = nwb.table("processing/doubled", "Units", "overlapping intervals", ["spike_times"],
                      ids=np.arange(40))
    trains = [[0.01 * (u + 1), 0.55, 1.5] for u in range(40)]
    flat, ends = ragged(trains)
    put(table, "spike_times", np.array(flat))
    put(table, "spike_times_index", ends)
    put(table, "obs_intervals", np.array(doubled * 40))
    put(table, "obs_intervals_index", 4 * np.arange(1, 41))
    case = expected.case(name, "processing/doubled", note="X: two segments, 0 to 0.5 and to 1 s")
    expected.counts(case, "X", trains, 0.0, 1.0)
    del case["X"].attrs["start"], case["X"].attrs["stop"]

    def series(case, says, note, **options):
        nwb.series("acquisition/" + case, "TimeSeries", pattern(3, 10).T, **options)
        expected.case(name, "acquisition/" + case, "error", note, {"says": says})

    steps = 0.5 * np.arange(10)
    twice = steps.copy()
    twice[4] = twice[3]
    series("few_stamps", "has 9 entries; one a sample of the data, 10,", "nine time stamps for ten",
           timestamps=steps[:9])
    series("falling", "goes from 4.5 to 4 at entry 1", "time stamps that fall",
           timestamps=steps[::-1])
    series("equal", "goes from 0 to 0 at entry 1", "equal time stamps", timestamps=0 * steps)
    series("repeated", "goes from 1.5 to 1.5 at entry 4", "a time stamp twice", timestamps=twice)
    series("no_rate", "attribute 'rate': is 0", "a rate of 0", rate=0.0)
    series("endless_rate", "attribute 'rate': is inf", "a rate that is infinite", rate=np.inf)
    nwb.file.close()


# ---------------------------------------------------------------------------------------------
# MATLAB
# ---------------------------------------------------------------------------------------------

MATLAB_CELL = [[0.03, 0.07, 0.57], [0.3], [], [0.29, 0.5, 0.505, 0.9999], [0.0, 1.0, 1.25]]
MATLAB_TIMES = [0.57, 0.03, 0.3, 0.29, 0.9, 0.07, 0.505, 1.2]
MATLAB_UNITS = [2, 1, 5, 2, 1, 4, 5, 4]
WINDOW = (0.0, 1.0)


def matlab_sparse_matrix():
    """A 5 x 9 matrix with an empty row, an empty column and 7 numbers."""
    dense = np.zeros((5, 9))
    dense[0, 0], dense[4, 0], dense[1, 2], dense[3, 2] = 1.0, 2.5, 0.5, 3.0
    dense[0, 5], dense[4, 7], dense[1, 8] = 0.125, 4.0, 7.0
    return dense


def fixed_text(thing, name, text):
    """A text attribute as MATLAB writes it: fixed length, typed null-terminated, without a null."""
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(len(text))
    kind.set_strpad(h5py.h5t.STR_NULLTERM)
    attribute = h5py.h5a.create(thing.id, name.encode(), kind, h5py.h5s.create(h5py.h5s.SCALAR))
    attribute.write(np.array(text.encode(), dtype="S%d" % len(text)), mtype=kind)


class Mat73:
    """A MATLAB v7.3 file: HDF5 behind a user block, dimensions in reversed order."""

    def __init__(self, path):
        self.path = path
        self.file = h5py.File(path, "w", userblock_size=512)
        self.cells = 0
        empty = put(self.file.create_group("#refs#"), "a", np.zeros(2, dtype=np.uint64))
        fixed_text(empty, "MATLAB_class", "canonical empty")
        empty.attrs["MATLAB_empty"] = np.uint8(1)

    def array(self, parent, name, values, kind, decode=None):
        """A full array; an empty one is stored as its size."""
        values = np.asarray(values)
        if values.size:
            d = put(parent, name, values.T)
        else:
            d = put(parent, name, np.array(values.shape, dtype=np.uint64))
        fixed_text(d, "MATLAB_class", kind)
        if not values.size:
            d.attrs["MATLAB_empty"] = np.uint8(1)
        if decode:
            d.attrs["MATLAB_int_decode"] = np.int32(decode)
        return d

    def complex(self, name, real, imaginary):
        """A complex array: a compound of `real` and `imag`."""
        table = np.zeros(real.shape, dtype=[("real", "<f8"), ("imag", "<f8")])
        table["real"], table["imag"] = real, imaginary
        return self.array(self.file, name, table, "double")

    def char(self, parent, name, text):
        """One line of text: UTF-16 units, marked as characters."""
        codes = np.array([[ord(c) for c in text]], dtype=np.uint16).reshape(
            (1 if text else 0), len(text))
        return self.array(parent, name, codes, "char", decode=2)

    def sparse(self, name, dense, kind="double", decode=None):
        """Compressed columns. Without a stored element only `jc` is there."""
        matrix = scipy.sparse.csc_matrix(dense)
        group = self.file.create_group(name)
        fixed_text(group, "MATLAB_class", kind)
        group.attrs["MATLAB_sparse"] = np.uint64(dense.shape[0])
        if decode:
            group.attrs["MATLAB_int_decode"] = np.int32(decode)
        if matrix.nnz:
            put(group, "data", matrix.data)
            put(group, "ir", matrix.indices.astype(np.uint64))
        put(group, "jc", matrix.indptr.astype(np.uint64))

    def cell(self, name, add_items):
        """A 1 x n cell array; each item is a function that adds its dataset to #refs#."""
        references = np.empty((len(add_items), 1), dtype=object)
        for row, add in enumerate(add_items):
            references[row, 0] = add(self.file["#refs#"], "c%d" % self.cells).ref
            self.cells += 1
        d = put(self.file, name, references, dtype=h5py.ref_dtype)
        fixed_text(d, "MATLAB_class", "cell")

    def struct(self, name, fields):
        group = self.file.create_group(name)
        fixed_text(group, "MATLAB_class", "struct")
        names = np.empty(len(fields), dtype=object)
        for place, (field, values) in enumerate(fields):
            names[place] = np.array([c.encode() for c in field], dtype="S1")
            self.array(group, field, values, "double")
        group.attrs.create("MATLAB_fields", names, dtype=h5py.vlen_dtype(np.dtype("S1")))

    def close(self):
        self.file.close()
        text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Wed Jan  1 00:00:00 2020 " \
               b"HDF5 schema 1.00 ."
        with open(self.path, "r+b") as f:
            f.write(text.ljust(116) + bytes(8) + b"\x00\x02" + b"IM")


def matlab_cases(expected, name, struct_name, time_field, id_field):
    """The cases that the v7.3 file and the level 5 files share."""
    x = pattern(4, 7)
    sparse = matlab_sparse_matrix()
    integers = np.round(x * 100 - 50).astype(np.int16)
    expected.case(name, "X", attributes={"class": "double"}, X=x)
    expected.case(name, "X_int16", attributes={"class": "int16"}, X=integers)
    expected.case(name, "X_logical", attributes={"class": "logical"}, X=x > 1.0)
    expected.case(name, "X_single", attributes={"class": "single"}, X=x)
    expected.case(name, "S", note="sparse double", attributes={"class": "double"}, X=sparse)
    expected.case(name, "S_none", note="sparse double without a stored element: all zero",
                  attributes={"class": "double"}, X=np.zeros((3, 6)))
    expected.case(name, "label", "error", "text", attributes={"class": "char", "text": "assay"})
    flat, ends = ragged(MATLAB_CELL)
    case = expected.case(name, "spikes", note="cell array of spike times, the third empty",
                         attributes={"class": "cell"}, times=flat, ends=ends.astype(np.int64))
    expected.counts(case, "X", MATLAB_CELL, *WINDOW)
    case = expected.case(name, struct_name, note="spike times and unit numbers as two fields",
                         attributes={"class": "struct",
                                     "times_path": struct_name + "/" + time_field,
                                     "ids_path": struct_name + "/" + id_field})
    expected.spike_list(case, MATLAB_TIMES, MATLAB_UNITS, *WINDOW)
    return x, integers, sparse


def make_matlab73(out, expected):
    name = "v73.mat"
    x, integers, sparse = matlab_cases(expected, name, "spk", "Times", "IDs")
    tensor = pattern(4, 6).reshape(2, 3, 4)

    mat = Mat73(os.path.join(out, name))
    mat.array(mat.file, "X", x, "double")
    mat.array(mat.file, "X_int16", integers, "int16")
    mat.array(mat.file, "X_logical", (x > 1.0).astype(np.uint8), "logical", decode=1)
    mat.array(mat.file, "X_single", x.astype(np.float32), "single")
    mat.array(mat.file, "none", np.zeros((0, 3)), "double")
    mat.array(mat.file, "tensor", tensor, "double")
    mat.complex("Z", x, x + 1.0)
    mat.sparse("S", sparse)
    mat.sparse("S_none", np.zeros((3, 6)))
    mat.sparse("S_logical", (sparse != 0).astype(np.uint8), "logical", decode=1)
    mat.char(mat.file, "label", "assay")
    mat.char(mat.file, "label_none", "")

    def vector(values, column):
        values = np.array(values).reshape((-1, 1) if column else (1, -1)) if values \
            else np.zeros((0, 0))
        return lambda parent, item: mat.array(parent, item, values, "double")

    mat.cell("spikes", [vector(t, column=row % 2 == 0) for row, t in enumerate(MATLAB_CELL)])
    mat.cell("names", [lambda parent, item, t=t: mat.char(parent, item, t) for t in ("ab", "cde")])
    mat.struct("spk", [("Times", np.array(MATLAB_TIMES)[:, None]),
                       ("IDs", np.array(MATLAB_UNITS, float)[:, None])])
    mat.close()

    expected.case(name, "none", "error", "an empty 0 x 3 array, stored as its size",
                  attributes={"class": "double"}, shape=[0, 3])
    expected.case(name, "tensor", "depends", "rank 3: a tensor, in MATLAB's order of dimensions",
                  attributes={"class": "double"}, X=tensor)
    expected.case(name, "Z", "error", "complex numbers (compound real, imag)",
                  attributes={"class": "double"})
    expected.case(name, "S_logical", note="sparse logical", attributes={"class": "logical"},
                  X=sparse != 0)
    expected.case(name, "label_none", "error", "empty text, stored as its size",
                  attributes={"class": "char", "text": ""})
    expected.case(name, "names", "error", "cell array of text", attributes={"class": "cell"})


def make_matlab5(out, expected):
    spikes = np.empty((1, len(MATLAB_CELL)), dtype=object)
    for row, train in enumerate(MATLAB_CELL):
        spikes[0, row] = np.array(train).reshape(1, -1) if train else np.zeros((0, 0))
    for name, compressed in (("v5.mat", False), ("v5_compressed.mat", True)):
        x, integers, sparse = matlab_cases(expected, name, "spk", "SpikeTimes", "SpikeIDs")
        variables = {
            "X": x, "X_int16": integers, "X_logical": x > 1.0, "X_single": x.astype(np.float32),
            "S": scipy.sparse.csc_matrix(sparse), "S_none": scipy.sparse.csc_matrix((3, 6)),
            "label": "assay", "spikes": spikes,
            "spk": {"SpikeTimes": np.array(MATLAB_TIMES)[:, None],
                    "SpikeIDs": np.array(MATLAB_UNITS, float)[:, None]},
        }
        path = os.path.join(out, name)
        scipy.io.savemat(path, variables, format="5", do_compression=compressed, oned_as="row")
        with open(path, "r+b") as f:  # scipy puts the time of day into the description
            f.write(b"MATLAB 5.0 MAT-file, written by scipy.io for tests".ljust(116))


# ---------------------------------------------------------------------------------------------
# npy and npz
# ---------------------------------------------------------------------------------------------

def npy_bytes(header, payload, version):
    """An npy file with any header text, padded so that the data start at a multiple of 64."""
    narrow = version == (1, 0)
    fixed = 6 + 2 + (2 if narrow else 4)
    body = header.encode("utf-8")
    body += b" " * (-(fixed + len(body) + 1) % 64) + b"\n"
    length = struct.pack("<H" if narrow else "<I", len(body))
    return b"\x93NUMPY" + bytes(version) + length + body + payload


def npy_header(descr, fortran, shape):
    return "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (descr, fortran, shape)


def lying_zip(member, payload, claimed):
    """A zip with one deflated member whose records both claim `claimed` bytes (zip64)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(payload) + packer.flush()
    name = member.encode()
    crc = zlib.crc32(payload)
    date, full = 0x0021, 0xFFFFFFFF  # 1 January 1980; "see the zip64 field"
    sizes = struct.pack("<HHQQ", 1, 16, claimed, len(packed))
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 45, 0, 8, 0, date, crc, full, full,
                        len(name), len(sizes)) + name + sizes + packed
    central = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 45, 45, 0, 8, 0, date, crc, full, full,
                          len(name), len(sizes), 0, 0, 0, 0, 0) + name + sizes
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


def make_numpy(out, expected):
    x = pattern(5, 12)
    integers = np.round(x * 100 - 50).astype(np.int16)
    truth = x > 1.0

    def write(name, content):
        with open(os.path.join(out, name), "wb") as f:
            f.write(content)

    def save(name, array, **options):
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array, **options)
        write(name, buffer.getvalue())

    save("c_order.npy", x, version=(1, 0))
    save("fortran.npy", np.asfortranarray(x), version=(1, 0))
    save("big_endian.npy", x.astype(">f8"), version=(1, 0))
    save("int16.npy", integers, version=(1, 0))
    save("bool.npy", truth, version=(1, 0))
    write("version2.npy", npy_bytes(npy_header("<f8", "False", "(5, 12)"), x.tobytes(), (2, 0)))
    # Legal, but not as numpy spells it: other order of keys, double quotes, no blanks, no comma at
    # the end.
    write("version3.npy", npy_bytes('{"shape":(5,12),"fortran_order":True,"descr":"<f4"}',
                                    x.astype("<f4").tobytes(order="F"), (3, 0)))
    for name, kind, array in (("c_order.npy", "<f8", x), ("fortran.npy", "<f8", x),
                              ("big_endian.npy", ">f8", x), ("int16.npy", "<i2", integers),
                              ("bool.npy", "|b1", truth), ("version2.npy", "<f8", x),
                              ("version3.npy", "<f4", x)):
        expected.case(name, attributes={"descr": kind}, X=array)

    np.savez(os.path.join(out, "stored.npz"), X=x, dt=np.float64(0.02))
    np.savez_compressed(os.path.join(out, "deflated.npz"), X=x, dt=np.float64(0.02))
    for name in ("stored.npz", "deflated.npz"):
        expected.case(name, "X", attributes={"dt": 0.02}, X=x)
        expected.case(name, "dt", note="a 0-dimensional array", value=np.float64(0.02))
    sparse = matlab_sparse_matrix()
    scipy.sparse.save_npz(os.path.join(out, "scipy_sparse.npz"), scipy.sparse.csr_matrix(sparse))
    expected.case("scipy_sparse.npz", note="members indices, indptr, data, shape, format = csr",
                  X=sparse)
    for name in ("stored.npz", "deflated.npz", "scipy_sparse.npz"):
        with zipfile.ZipFile(os.path.join(out, name)) as archive:
            assert all(i.date_time == (1980, 1, 1, 0, 0, 0) for i in archive.infolist()), name

    write("lying_shape.npy", npy_bytes(npy_header("<f8", "False", "(%d, %d)" % (2**30, 2**30)),
                                       x.tobytes()[:96], (1, 0)))
    expected.case("lying_shape.npy", outcome="error", note="claims 2^60 numbers, holds 12")
    whole = npy_bytes(npy_header("<f8", "False", "(5, 12)"), x.tobytes(), (1, 0))
    write("truncated.npy", whole[:-123])
    expected.case("truncated.npy", outcome="error",
                  note="claims 60 numbers, ends in the middle of the 45th")
    save("object.npy", np.array([[1, None], ["text", 2.5]], dtype=object), version=(1, 0))
    expected.case("object.npy", outcome="error", note="dtype object: a pickle, never to be loaded")
    for name, texts in (("text_s8.npy", np.array([[b"ab", b"cd"], [b"ef", b"gh"]], dtype="S8")),
                        ("text_u2.npy", np.array([["ab", "cd"], ["ef", "gh"]], dtype="<U2"))):
        save(name, texts, version=(1, 0))
        expected.case(name, outcome="error", note="text in place of numbers",
                      attributes={"says": "; numbers are expected"})
    write("bad_header.npy", npy_bytes("dict(descr='<f8', fortran_order=False, shape=(5, 12))",
                                      x.tobytes(), (1, 0)))
    expected.case("bad_header.npy", outcome="error",
                  note="the header is a function call: to be parsed, never evaluated")
    np.savez(os.path.join(out, "beside_objects.npz"), X=x, dt=np.float64(0.02),
             notes=np.array([["who", None]], dtype=object), names=np.array(["a", "b"]))
    expected.case("beside_objects.npz", note="an array of objects beside X", X=x,
                  attributes={"dt": 0.02})
    expected.case("beside_objects.npz", "notes", "error", "dtype object",
                  {"says": "pickled objects are never read"})
    expected.case("beside_objects.npz", "names", "error", "text", {"says": "numbers are expected"})
    np.savez(os.path.join(out, "standing_still.npz"), X=x, dt=np.float64(0))
    expected.case("standing_still.npz", outcome="error", note="a dt of 0",
                  attributes={"says": ":/dt: is 0; a positive finite number"})
    for kind in ("csc", "bsr", "coo", "dia"):
        name = "scipy_%s.npz" % kind
        scipy.sparse.save_npz(os.path.join(out, name),
                              getattr(scipy.sparse, kind + "_matrix")(sparse))
        if kind == "csc":
            expected.case(name, note="format = csc", X=sparse)
        else:
            expected.case(name, outcome="error", note="a sparse form that is not compressed",
                          attributes={"says": "sparse format \"%s\"; csr or csc" % kind})
    rows, columns = 2**21, 2**20
    inner = npy_bytes(npy_header("<f8", "False", "(%d, %d)" % (rows, columns)), x.tobytes(), (1, 0))
    claimed = 8 * rows * columns + len(inner) - x.nbytes
    write("lying.npz", lying_zip("X.npy", inner, claimed))
    expected.case("lying.npz", "X", "error",
                  "the zip entry and the npy header both claim 2^41 numbers; 60 are there",
                  attributes={"claimed_bytes": np.uint64(claimed)})


# ---------------------------------------------------------------------------------------------
# CSV
# ---------------------------------------------------------------------------------------------

CSV_ROWS = [(4, "0.57"), (1, "0.03"), (2, "0.3"), (5, "0.9999"), (1, "0.02"), (2, "0.29"),
            (4, "0.07"), (1, "0.025"), (5, "0"), (2, "1.0"), (4, "5e-1"), (1, "-0.1"), (5, "0.505")]


def make_csv(out, expected):
    def text(header, separator=",", end="\n", rows=CSV_ROWS, last=True):
        lines = ([header] if header else []) + ["%d%s%s" % (u, separator, t) for u, t in rows]
        return (end.join(lines) + (end if last else "")).encode()

    broken = list(CSV_ROWS)
    broken[2] = (2, "banana")  # the third row is line 4, below the header
    files = {
        "spikes.csv": text("unit,time"),
        "spikes_noheader.csv": text(None, last=False),
        "spikes_semicolon.csv": text("unit;time", separator=";"),
        "spikes_bom_crlf.csv": b"\xef\xbb\xbf" + text("unit,time", end="\r\n"),
        "spikes_bad.csv": text("unit,time", rows=broken),
        "empty.csv": b"",
    }
    for name, content in files.items():
        with open(os.path.join(out, name), "wb") as f:
            f.write(content)
    for name in list(files)[:4]:
        case = expected.case(name, note="unsorted; unit 3 has no spike; three times outside [0, 1)")
        expected.spike_list(case, [float(t) for _, t in CSV_ROWS], [u for u, _ in CSV_ROWS],
                            *WINDOW)
    expected.case("spikes_bad.csv", outcome="error", note="banana in place of a time",
                  attributes={"line": 4})
    expected.case("empty.csv", outcome="error", note="no byte in it")


# ---------------------------------------------------------------------------------------------
# Own sparse groups, damaged files
# ---------------------------------------------------------------------------------------------

def make_sparse_groups(out, expected):
    dense = matlab_sparse_matrix()
    units, bins = dense.shape

    def write(name, kind, data, indices, indptr, shape=(units, bins), extra=False):
        with h5py.File(os.path.join(out, name), "w") as f:
            group = f.create_group("data/X")
            group.attrs["format"] = kind
            group.attrs["axes"] = "unit,time"
            group.attrs["dt"] = 0.02
            put(group, "data", data)
            put(group, "indices", np.asarray(indices, np.int32))
            put(group, "indptr", np.asarray(indptr, np.int64))
            put(group, "shape", np.asarray(shape, np.int64))
            if extra:
                put(f["data"], "segment_start", np.array([0, 4], dtype=np.int64))
                put(f["data"], "unit_id", np.array([2, 3, 5, 7, 11], dtype=np.int64))

    rows = scipy.sparse.csr_matrix(dense)
    columns = scipy.sparse.csc_matrix(dense)
    told = {"dt": 0.02, "axes": "unit,time"}
    write("sparse_csr.h5", "csr", rows.data, rows.indices, rows.indptr, extra=True)
    expected.case("sparse_csr.h5", "data/X", attributes=told, X=dense, segment_start=[0, 4],
                  unit_id=[2, 3, 5, 7, 11])

    # Column 0 with its two rows in falling order, which is legal.
    order = np.arange(columns.nnz)
    order[[0, 1]] = order[[1, 0]]
    write("sparse_csc.h5", "csc", columns.data[order].astype(np.float32), columns.indices[order],
          columns.indptr)
    expected.case("sparse_csc.h5", "data/X", attributes=told,
                  note="float32; the rows of column 0 are not ascending", X=dense)

    pointer = rows.indptr.copy()
    pointer[3] = pointer[2] - 1
    write("sparse_bad_indptr.h5", "csr", rows.data, rows.indices, pointer)
    expected.case("sparse_bad_indptr.h5", "data/X", "error", "indptr falls",
                  attributes={"index": 3, "value": int(pointer[3])})
    places = rows.indices.copy()
    places[4] = bins
    write("sparse_index_out_of_range.h5", "csr", rows.data, places, rows.indptr)
    expected.case("sparse_index_out_of_range.h5", "data/X", "error",
                  "a column index equal to the number of columns",
                  attributes={"index": 4, "value": bins})


def make_lying_sparse(out, expected):
    name = "sparse_lying.h5"
    with h5py.File(os.path.join(out, name), "w") as f:
        def compressed(case, kind, shape, indptr, says):
            group = f.create_group(case)
            group.attrs["format"] = kind
            put(group, "data", np.ones(2))
            put(group, "indices", np.zeros(2, np.int32))
            put(group, "indptr", np.asarray(indptr))
            put(group, "shape", np.asarray(shape))
            expected.case(name, case, "error", "shape %s" % (shape,), {"says": says})

        compressed("wide", "csr", [2, 2**55], [0, 1, 2], "implausible shape 2 x 36028797018963968")
        compressed("high", "csc", [2**55, 2], [0, 1, 2], "implausible shape 36028797018963968 x 2")
        compressed("negative", "csr", [2, -5], [0, 1, 2], "implausible shape 2 x -5")
        compressed("less", "csr", [-1, 5], [0, 1, 2], "implausible shape -1 x 5")
        compressed("huge", "csr", [2**63 - 1, 5], [0, 1, 2], "implausible shape 9223372036854775807")
        compressed("longer", "csr", [9, 5], [0, 1, 2], "indptr has 3 entries; 10 are expected")
        compressed("half", "csr", [2, 5.5], [0, 1, 2], "/shape: holds 5.5; whole numbers")
        compressed("broken", "csr", [2, 5], [0, 1.5, 2], "/indptr: holds 1.5; whole numbers")

        def matlab(case, rows, says):
            group = f.create_group(case)
            fixed_text(group, "MATLAB_class", "double")
            group.attrs["MATLAB_sparse"] = rows
            put(group, "data", np.ones(2))
            put(group, "ir", np.zeros(2, np.uint64))
            put(group, "jc", np.array([0, 1, 2], np.uint64))
            expected.case(name, case, "error", "MATLAB_sparse = %s" % rows, {"says": says})

        matlab("m62", np.uint64(2**62), "implausible number of 4611686018427387904 rows")
        matlab("m64", np.uint64(2**64 - 1), "implausible number of 18446744073709551616 rows")
        matlab("m40", np.uint64(2**40), "implausible shape 1099511627776 x 2")
        matlab("m_nan", np.float64(np.nan), "implausible number of nan rows")
        matlab("m_less", np.int64(-3), "implausible shape -3 x 2")


def make_wrong_times(out, expected):
    name = "wrong_times.h5"
    with h5py.File(os.path.join(out, name), "w") as f:
        for case, key, value, text in (("zero", "dt", 0.0, "0"), ("less", "dt", -0.5, "-0.5"),
                                       ("nan", "dt", np.nan, "nan"), ("inf", "dt", np.inf, "inf"),
                                       ("rate_zero", "rate_hz", 0.0, "0"),
                                       ("rate_less", "rate_hz", -50.0, "-50"),
                                       ("rate_nan", "rate_hz", np.nan, "nan")):
            put(f, case, pattern(3, 6)).attrs[key] = value
            expected.case(name, case, "error", "%s = %s" % (key, text),
                          {"says": "attribute '%s': is %s; a positive" % (key, text)})
        put(f, "trials/X", pattern(3, 6))
        put(f, "trials/segment_start", np.array([0, 2.5]))
        expected.case(name, "trials/X", "error", "a segment starts at bin 2.5",
                      {"says": "segment_start: holds 2.5; whole numbers"})


def make_damaged(out, expected):
    path = os.path.join(out, "truncated.h5")
    with h5py.File(path, "w") as f:
        d = put(f.create_group("data"), "X", pattern(20, 50))
        d.attrs["axes"] = "unit,time"
        d.attrs["dt"] = 0.02
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        f.truncate(size * 6 // 10)
    expected.case("truncated.h5", outcome="error", note="an HDF5 file cut at 60 % of its length",
                  attributes={"bytes": size * 6 // 10, "whole": size})

    with open(os.path.join(out, "text_named.h5"), "w", newline="\n") as f:
        f.write("Traceback (most recent call last):\n"
                "  File \"export.py\", line 12, in <module>\n"
                "    write(result)\n"
                "NameError: name 'result' is not defined\n")
    expected.case("text_named.h5", outcome="error", note="text, whatever its name says")
    with open(os.path.join(out, "empty.h5"), "wb"):
        pass
    expected.case("empty.h5", outcome="error", note="no byte in it")


# ---------------------------------------------------------------------------------------------

def make_all(out):
    os.makedirs(out, exist_ok=True)
    expected = Expected(os.path.join(out, "expected.h5"))
    for make in (make_plain_hdf5, make_nwb, make_broken_nwb, make_matlab73, make_matlab5,
                 make_numpy, make_csv, make_sparse_groups, make_lying_sparse, make_wrong_times,
                 make_damaged):
        make(out, expected)
    expected.close()


def check(reference):
    """Build again and compare byte for byte; the number of differences."""
    with tempfile.TemporaryDirectory() as fresh:
        make_all(fresh)
        names = sorted(os.listdir(fresh))
        _, different, missing = filecmp.cmpfiles(fresh, reference, names, shallow=False)
    for name in different + missing:
        print("differs or is missing: " + name)
    print("%d files, %d not as the script makes them" % (len(names), len(different + missing)))
    return len(different + missing)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description="Write the fixture files of the format readers.")
    parser.add_argument("--out", default=os.path.join(here, "formats"), metavar="DIR")
    parser.add_argument("--check", action="store_true",
                        help="compare with DIR, write nothing there")
    options = parser.parse_args()
    if options.check:
        sys.exit(1 if check(options.out) else 0)
    make_all(options.out)


if __name__ == "__main__":
    main()
