"""Variables of a run's own files: raw, proc, its times and its folder."""
import numpy as np
from damnit_ctx import Pipeline, Skip, Variable
from extra_data.components import AGIPD1M

XGM = "SPB_XTD9_XGM/DOOCS/MAIN"
CAMERA = "SPB_IRU_CAM/CAM/SIDEMIC:daqOutput"


@Variable(title="Trains")
def n_trains(run):
    """How many trains the run has."""
    return len(run.train_ids)


@Variable(title="XGM/All pulses", transient=True)
def pulses(run):
    return run[XGM + ":output", "data.intensityTD"].xarray(roi=np.s_[:20], extra_dims=["pulse"])


@Variable(title="XGM/Pulse energy", tags=["beam", "important"])
def pulse_energy(run, pulses: "var#pulses"):
    return pulses.mean("pulse", keep_attrs=True)


@Variable(title="XGM/Pulses", units="μJ")
def all_pulses(run, pulses: "var#pulses"):
    return pulses


@Variable
def camera(run):
    return run[CAMERA, "data.image.pixels"].ndarray().mean(axis=0)


@Variable
def by_train(run):
    return run[CAMERA, "data.image.pixels"].xarray().mean(("dim_0", "dim_1"))


@Variable
def state(run):
    return run.get_run_value(XGM, "state")


@Variable
def train_times(run):
    return run.train_timestamps().astype("i8")


@Variable
def no_such_source(run):
    return run["NO/SUCH/SOURCE", "value"].ndarray()


@Variable
def without_its_source(run, missing: "var#no_such_source"):
    return missing


@Variable
def last_folder(run, path: "meta#proposal_path"):
    return path.name


@Variable(title="AGIPD/Mean frame", data="proc", tags="detector")
def detector_image(run):
    frames = AGIPD1M(run, min_modules=1)["image.data"].xarray()
    return np.concatenate(frames.mean("train_pulse").values, axis=-1)


@Variable(title="AGIPD/Photons", tags=["detector", "important"])
def photons(run, image: "var#detector_image"):
    return image.mean()


@Variable
def with_beam(run, energy: "var#pulse_energy", photons: "var#photons" = -1.0):
    if float(energy.mean()) < 50:
        raise Skip("no beam")
    return float(photons)


@Variable
def of_its_own_pipeline(run, number: "meta#run_number", proposal: "meta#proposal"):
    results = Pipeline(proposal, number, data=run).add(n_trains, state).execute()
    return f"{sorted(results.cells)} {results.cells['n_trains'].data}"


Pipeline.default().add({})
