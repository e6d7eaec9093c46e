#!/usr/bin/env python3
"""Make digits.h5: the handwritten digits of 8 x 8 pixels that scikit-learn ships, in two splits.

    make_digits.py OUTPUT.h5

Needs numpy, h5py, scikit-learn (Debian: python3-sklearn). The data are the test set of "Optical
Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak 1998, UCI Machine Learning Repository,
https://doi.org/10.24432/C50P49, CC BY 4.0).

The split is fixed and stratified: of all images in the order of their class (within a class in the
order of the set), every fifth, starting with the first, is a test image. Both splits keep the order
of the set.

Contents of OUTPUT.h5, for each SPLIT of train (1437 images) and test (360)
    /data/SPLIT/inputs   (sample, channel, height, width) uint8, 0 to 16
    /data/SPLIT/targets  (sample) int64, the digit
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits

import sealed

TEST_EVERY = 5


def split(targets):
    """Indices of the training and of the test images."""
    by_class = np.argsort(targets, kind="stable")
    is_test = np.zeros(len(targets), bool)
    is_test[by_class[::TEST_EVERY]] = True
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def write_split(data, name, images, targets):
    group = sealed.create_group(data, name)
    sealed.write_array(
        group,
        "inputs",
        images[:, np.newaxis].astype("u1"),
        axes="sample,channel,height,width",
        units="ink, 0 to 16",
        description="Handwritten digits: inked ones of 4 x 4 pixels of a 32 x 32 bitmap",
    )
    sealed.write_array(
        group,
        "targets",
        targets.astype("<i8"),
        axes="sample",
        units="class",
        description="The digit that was written",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", help="HDF5 file to write")
    arguments = parser.parse_args()

    digits = load_digits()
    train, test = split(digits.target)
    with sealed.create(arguments.output) as file:
        sealed.set_attributes(
            file,
            format="assay/1",
            title="Handwritten digits of 8 x 8 pixels",
            source="share/samples/make_digits.py; Optical Recognition of Handwritten Digits, "
            "E. Alpaydin and C. Kaynak 1998, UCI Machine Learning Repository, "
            "doi:10.24432/C50P49, as in scikit-learn",
            licence="CC BY 4.0",
        )
        data = sealed.create_group(file, "data")
        for name, chosen in (("train", train), ("test", test)):
            write_split(data, name, digits.images[chosen], digits.target[chosen])
    print(f"{arguments.output}: {len(train)} training and {len(test)} test images")


if __name__ == "__main__":
    main()
