"""Thirty variables such as people write: numbers, lines, pictures, xarray's objects, texts, errors."""
import numpy as np
import xarray as xr

from damnit_ctx import Cell, Skip, Variable

RANDOM = np.random.default_rng(7)
TIMES = np.linspace(0, 10, 3000)


@Variable(title="Trains")
def n_trains(run):
    return len(run.train_ids)


@Variable(title="First train")
def first_train(run):
    return run.train_ids[0]


@Variable(title="Label")
def label(run, proposal: "meta#proposal", number: "meta#run_number"):
    return f"p{proposal}, run {number}"


@Variable(title="State", tags="beam")
def state(run):
    return "ON"


@Variable(title="Is aligned")
def aligned(run):
    return np.bool_(True)


@Variable(title="Count")
def count(run):
    return np.int64(123_456)


@Variable(title="Gain", units="dB")
def gain(run):
    return np.float32(12.5)


@Variable(title="Wave", summary="mean", units="V")
def wave(run):
    return np.sin(TIMES) + RANDOM.normal(0, 0.1, TIMES.size)


@Variable(title="Spectrum")
def spectrum(run, wave: "var#wave"):
    return np.abs(np.fft.rfft(wave))


@Variable(title="Peak", units="Hz")
def peak(run, spectrum: "var#spectrum"):
    return int(spectrum.argmax())


@Variable(title="Amplitude", tags=["beam", "important"])
def amplitude(run, wave: "var#wave"):
    low, high = np.quantile(wave, [0.01, 0.99])
    return Cell(wave, summary_value=high - low, bold=True, background="#c7edc4", units="V")


@Variable(title="Camera/Frames", transient=True)
def frames(run):
    return RANDOM.poisson(50, (20, 256, 320))


@Variable(title="Camera/Mean image")
def mean_image(run, frames: "var#frames"):
    return frames.mean(axis=0)


@Variable(title="Camera/Maximum image")
def max_image(run, frames: "var#frames"):
    return frames.max(axis=0).astype(np.uint16)


@Variable(title="Camera/Brightness", summary="std")
def brightness(run, frames: "var#frames"):
    return frames.mean(axis=(1, 2))


@Variable(title="Camera/Histogram")
def histogram(run, frames: "var#frames"):
    return np.histogram(frames, bins=500)[0]


@Variable(title="Camera/Lit pixels")
def lit_pixels(run, image: "var#mean_image"):
    return int((image > 50).sum())


@Variable(title="Camera/Profile")
def profile(run, image: "var#mean_image"):
    return xr.DataArray(image.mean(axis=0), dims="x", coords={"x": np.arange(320) * 0.5},
                        attrs={"units": "counts"})


@Variable(title="XGM/Pulses")
def pulses(run):
    return xr.DataArray(RANDOM.normal(800, 20, (500, 20)), dims=("trainId", "pulse"),
                        coords={"trainId": np.arange(500) + 10_000})


@Variable(title="XGM/Energy", tags="beam")
def energy(run, pulses: "var#pulses"):
    return pulses.mean("pulse")


@Variable(title="XGM/Pattern", summary="max")
def pattern(run, pulses: "var#pulses"):
    return pulses.mean("trainId").values


@Variable(title="XGM/Summary")
def statistics(run, pulses: "var#pulses", energy: "var#energy"):
    return xr.Dataset({"mean": energy, "spread": pulses.std("pulse")})


@Variable(title="Motor/Position", units="mm")
def motor_position(run):
    return Cell(np.float64(1.75), summary_value=1.75)


@Variable(title="Where")
def where(run, positions: "var#*_position"):
    return ", ".join(f"{name} {value}" for name, value in sorted(positions.items()))


@Variable(title="Scan")
def scan(run):
    raise Skip("the motor did not move")


@Variable(title="Scan fit")
def scan_fit(run, scan: "var#scan"):
    return scan.mean()


@Variable(title="Spot")
def spot(run, image: "var#mean_image"):
    if image.max() < 1000:
        raise ValueError(f"no spot on the camera: at most {image.max():.1f}")
    return image.argmax()


@Variable(title="Spot size")
def spot_size(run, spot: "var#spot"):
    return spot / 2


@Variable(title="Nothing")
def nothing(run):
    return None


@Variable(title="Matrix")
def matrix(run):
    return RANDOM.normal(0, 1, (3, 4, 5))
