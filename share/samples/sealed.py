"""Arrays and attributes in the form of assay's own files: every byte under a checksum, nothing that
depends on the clock."""

import h5py
import numpy as np

COMPACT_BYTES = 4096  # smaller arrays are stored inside the object header


def untimed(kind):
    """Creation properties of a file or group: links in order, no times."""
    properties = h5py.h5p.create(kind)
    properties.set_link_creation_order(h5py.h5p.CRT_ORDER_TRACKED | h5py.h5p.CRT_ORDER_INDEXED)
    properties.set_obj_track_times(False)
    return properties


def create(path):
    """A new file, to be closed by the caller."""
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    properties = untimed(h5py.h5p.FILE_CREATE)
    return h5py.File(h5py.h5f.create(path.encode(), h5py.h5f.ACC_TRUNC, properties, access))


def create_group(parent, name):
    properties = untimed(h5py.h5p.GROUP_CREATE)
    return h5py.Group(h5py.h5g.create(parent.id, name.encode(), gcpl=properties))


def set_attributes(target, **attributes):
    """Strings become fixed-length UTF-8; everything else is stored as it is."""
    for name, value in attributes.items():
        if isinstance(value, str):
            data = value.encode("utf-8")
            kind = h5py.string_dtype("utf-8", len(data))
            target.attrs.create(name, np.array(data, dtype=kind), dtype=kind)
        else:
            target.attrs.create(name, value)


def write_array(group, name, data, chunks=None, **attributes):
    """Checksummed: small arrays inside the object header, others in chunks with Fletcher32."""
    if data.nbytes < COMPACT_BYTES:
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_layout(h5py.h5d.COMPACT)
        layout.set_obj_track_times(False)
        space = h5py.h5s.create_simple(data.shape)
        kind = h5py.h5t.py_create(data.dtype, logical=True)
        handle = h5py.h5d.create(group.id, name.encode(), kind, space, layout)
        dataset = h5py.Dataset(handle)
        dataset[...] = data
    else:
        dataset = group.create_dataset(
            name,
            data=data,
            chunks=chunks or data.shape,
            shuffle=True,
            compression="gzip",
            compression_opts=9,
            fletcher32=True,
            track_times=False,
        )
    set_attributes(dataset, **attributes)
