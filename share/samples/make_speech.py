#!/usr/bin/env python3
"""Make speech.h5: a spectrogram in which six spoken words recur in random order.

Each word is synthesised by espeak-ng, every time with another speed, pitch and loudness; the
utterances are strung together with random gaps, white noise is added, and the short-time power
spectrum is taken. The words are the motifs, the moments at which they start are the truth.

    make_speech.py OUTPUT.h5 [--seed N] [--wav FILE]

Needs espeak-ng, numpy, h5py. The result depends on the arguments and on the version of espeak-ng
only, which is recorded in the file.

Contents of OUTPUT.h5
    /data/X                 (frequency, time) float32, log10 power above the noise floor, >= 0
    /data/frequency         (frequency) float64, Hz
    /truth/event_bin        (event) int64, the frame nearest to the start of the utterance
    /truth/event_component  (event) int64, which word; names in the attribute `words` of /truth
"""

import argparse
import io
import subprocess
import wave

import numpy as np

import sealed

WORDS = ("sushi", "yellow", "tango", "echo", "motif", "mirror")
VOICE = "en-us"
RATE_HZ = 8000  # of the recording; espeak-ng's own rate is higher
WINDOW = 200  # samples, 25 ms: one bin each 40 Hz
HOP = 80  # samples, 10 ms
SPEED = 165  # words per minute, mean
PITCH = 45  # espeak-ng's scale 0..99, mean
REPEATS = (12, 15)  # utterances of one word, least and most
GAP_S = (0.03, 0.16)  # silence between two utterances, shortest and longest
NOISE_RMS = 0.004  # of a signal whose utterances peak near 0.6
QUANTUM = 1 / 256  # X is rounded to multiples of it, which makes it compress


# ---- sound ------------------------------------------------------------------------------------


def espeak(word, speed, pitch):
    """One utterance at RATE_HZ, from the first to the last sample that can be heard."""
    command = ["espeak-ng", "-v", VOICE, "-s", str(speed), "-p", str(pitch), "--stdout", word]
    # A WAV that was written to a pipe gives no length: read past what its header promises.
    data = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    with wave.open(io.BytesIO(data)) as file:
        rate = file.getframerate()
    start = data.index(b"data") + 8
    samples = np.frombuffer(data[start : start + (len(data) - start) // 2 * 2], "<i2") / 32768
    sound = resample(samples, rate, RATE_HZ)
    envelope = np.sqrt(np.convolve(sound**2, np.ones(80) / 80, mode="same"))
    loud = np.flatnonzero(envelope > 0.02 * envelope.max())
    return sound[loud[0] : loud[-1] + 1]


def resample(samples, rate_from, rate_to):
    """Band-limited change of rate: cut the spectrum of the zero-padded sound."""
    divisor = np.gcd(rate_from, rate_to)
    up, down = rate_to // divisor, rate_from // divisor
    blocks = -(-len(samples) // down)
    padded = np.pad(samples, (0, blocks * down - len(samples)))
    spectrum = np.fft.rfft(padded)[: blocks * up // 2 + 1]
    return np.fft.irfft(spectrum, blocks * up) * (up / down)


def recite(rng):
    """The recording, the sample at which each utterance starts, and its word."""
    counts = rng.integers(REPEATS[0], REPEATS[1] + 1, len(WORDS))
    order = rng.permutation(np.repeat(np.arange(len(WORDS)), counts))
    cache = {}
    pieces, starts, position = [], [], 0

    def pause():
        return np.zeros(int(rng.uniform(*GAP_S) * RATE_HZ))

    for word in order:
        gap = pause()
        speed = int(SPEED + rng.integers(-8, 9))
        pitch = int(PITCH + rng.integers(-6, 7))
        key = (word, speed, pitch)
        if key not in cache:
            cache[key] = espeak(WORDS[word], speed, pitch)
        sound = cache[key] * rng.uniform(0.8, 1.2)
        pieces += [gap, sound]
        starts.append(position + len(gap))
        position += len(gap) + len(sound)
    pieces.append(pause())
    signal = np.concatenate(pieces)
    signal += NOISE_RMS * rng.standard_normal(len(signal))
    return signal, np.array(starts), order


# ---- spectrogram ------------------------------------------------------------------------------


def log_power(signal):
    """(frequency, time) log10 power; frame t is centred on sample t * HOP."""
    window = np.hanning(WINDOW + 1)[:-1]
    padded = np.pad(signal, WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    return np.log10(power.T + 1e-12)


def noise_floor():
    """Level that the noise alone exceeds in 1 of 20 entries: its power is exponential."""
    window = np.hanning(WINDOW + 1)[:-1]
    mean_power = NOISE_RMS**2 * np.sum(window**2)
    return np.log10(mean_power * -np.log(0.05))


def spectrogram(signal):
    """Log power above the noise floor: 0 where there is silence, never negative."""
    above = np.maximum(log_power(signal) - noise_floor(), 0)
    return (np.round(above / QUANTUM) * QUANTUM).astype("<f4")


# ---- file -------------------------------------------------------------------------------------


def write(path, X, event_bin, event_component, seed):
    version = subprocess.run(["espeak-ng", "--version"], check=True, stdout=subprocess.PIPE)
    version = version.stdout.decode().split("Data at")[0].split(":")[-1].strip()
    with sealed.create(path) as file:
        sealed.set_attributes(
            file,
            format="assay/1",
            title="Six spoken words in random order",
            source=f"share/samples/make_speech.py; espeak-ng {version}, voice {VOICE}",
            licence="CC0 1.0",
            seed=np.int64(seed),
        )
        data = sealed.create_group(file, "data")
        sealed.write_array(
            data,
            "X",
            X,
            chunks=(X.shape[0], min(1024, X.shape[1])),
            axes="unit,time",
            dt=np.float64(HOP / RATE_HZ),
            units="log10 power",
            description="Short-time power spectrum of synthetic speech above the noise floor; "
            f"{RATE_HZ} Hz, Hann window of {WINDOW} samples, hop {HOP}, frame t centred on t * dt",
        )
        sealed.write_array(
            data,
            "frequency",
            np.arange(X.shape[0]) * (RATE_HZ / WINDOW),
            axes="unit",
            units="Hz",
            description="Frequency of each row of X",
        )
        truth = sealed.create_group(file, "truth")
        sealed.set_attributes(truth, words=",".join(WORDS))
        sealed.write_array(
            truth,
            "event_bin",
            event_bin.astype("<i8"),
            axes="event",
            units="bin",
            description="Frame nearest to the start of each utterance",
        )
        sealed.write_array(
            truth,
            "event_component",
            event_component.astype("<i8"),
            axes="event",
            units="index",
            description="Which word was spoken: index into the attribute words of /truth",
        )


def write_wav(path, signal):
    samples = np.clip(np.round(signal * 32767), -32768, 32767).astype("<i2")
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", help="HDF5 file to write")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (default 1)")
    parser.add_argument("--wav", metavar="FILE", help="write the sound as well, to listen to")
    arguments = parser.parse_args()

    rng = np.random.Generator(np.random.PCG64(arguments.seed))
    signal, starts, words = recite(rng)
    X = spectrogram(signal)
    event_bin = np.round(starts / HOP).astype(np.int64)
    write(arguments.output, X, event_bin, words, arguments.seed)
    if arguments.wav:
        write_wav(arguments.wav, signal)

    counts = np.bincount(words, minlength=len(WORDS))
    said = ", ".join(f"{word} {count}" for word, count in zip(WORDS, counts))
    print(f"{arguments.output}: {X.shape[0]} x {X.shape[1]}, {len(words)} utterances: {said}")


if __name__ == "__main__":
    main()
