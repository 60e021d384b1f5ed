"""The variables of the example proposal: what the table shows for every run.

Edit this file and evaluate again with `runledger reprocess all`.
"""
import numpy as np
import xarray as xr
from extra_data.components import AGIPD1M

from damnit_ctx import Cell, Skip, Variable

XGM = "SPB_XTD9_XGM/DOOCS/MAIN"
CAMERA = "SPB_IRU_CAM/CAM/SIDEMIC:daqOutput"
INJECTOR = "SPB_IRU_INJ/MOTOR/Y"

NO_BEAM = 50        # microjoules; less is no beam


@Variable(title="Label")
def label(run, proposal: "meta#proposal", number: "meta#run_number"):
    return f"p{proposal}, run {number}"


@Variable(title="Trains")
def n_trains(run):
    """How many trains the run has."""
    return len(run.train_ids)


@Variable(title="XGM/State", tags="beam")
def xgm_state(run):
    return run.get_run_value(XGM, "state")


# Kept for the variables below, but not stored.
@Variable(title="XGM/All pulses", transient=True)
def pulses(run):
    bunches = int(run[XGM, "pulseEnergy.nummberOfBunches"].as_single_value())
    intensity = run[XGM + ":output", "data.intensityTD"]
    return intensity.xarray(roi=np.s_[:bunches], extra_dims=["pulse"])


@Variable(title="XGM/Pulse energy", tags=["beam", "important"])
def pulse_energy(run, pulses: "var#pulses"):
    """Mean over the pulses of each train; the units are those of the data."""
    return pulses.mean("pulse", keep_attrs=True)


@Variable(title="XGM/Mean pulse energy", tags=["beam", "important"])
def mean_pulse_energy(run, energy: "var#pulse_energy"):
    mean = float(energy.mean())
    lost = mean < NO_BEAM
    return Cell(
        energy.values,
        summary_value=mean,
        units="μJ",
        bold=lost,
        background="#ffb3a7" if lost else "#c7edc4",
    )


@Variable(title="XGM/Pulse pattern", summary="max", units="μJ")
def pulse_pattern(run, pulses: "var#pulses"):
    """Mean energy of each pulse within the train; the table shows the strongest."""
    return pulses.mean("trainId").values


@Variable(title="Injector/Position", units="mm")
def injector_position(run):
    return run[INJECTOR, "actualPosition"].ndarray().mean()


@Variable(title="Injector/Scan")
def injector_scan(run, energy: "var#pulse_energy"):
    """Pulse energy against the injector's position, for runs in which it moved."""
    position = run[INJECTOR, "actualPosition"].ndarray()
    if np.ptp(position) < 0.1:
        raise Skip("the injector did not move")
    return xr.DataArray(
        energy.values,
        dims="position",
        coords={"position": ("position", position, {"units": "mm"})},
        attrs={"units": "μJ"},
    )


@Variable(title="Camera/Mean image")
def camera_image(run):
    return run[CAMERA, "data.image.pixels"].ndarray().mean(axis=0)


@Variable(title="Camera/Spot", units="pixel", tags="beam")
def spot_position(run, image: "var#camera_image"):
    """Row and column of the beam spot; the table shows the column."""
    signal = image - np.median(image)
    signal[signal < 0.2 * signal.max()] = 0
    if signal.max() < 20:
        raise ValueError(f"no spot on the camera: at most {signal.max():.1f} above the dark level")
    rows, columns = np.indices(signal.shape)
    centre = [np.average(rows, weights=signal), np.average(columns, weights=signal)]
    return Cell(centre, summary_value=centre[1])


@Variable(title="Camera/Brightness", summary="mean")
def brightness(run):
    """The camera's mean signal in each train."""
    return run[CAMERA, "data.image.pixels"].ndarray().mean(axis=(1, 2))


@Variable(title="Where", description="Every position of the run, in words")
def where(run, positions: "var#*_position"):
    return ", ".join(f"{name.removesuffix('_position')} {np.round(value, 2)}"
                     for name, value in sorted(positions.items()))


@Variable(title="AGIPD/Mean frame", data="proc", tags="detector")
def detector_image(run):
    """Mean of the corrected frames, the modules side by side."""
    frames = AGIPD1M(run, min_modules=1)["image.data"].xarray()
    mean = frames.mean("train_pulse")           # module, slow scan, fast scan
    return np.concatenate(mean.values, axis=-1)


@Variable(title="AGIPD/Photons per pixel", tags=["detector", "important"])
def detector_photons(run, image: "var#detector_image"):
    return image.mean()
