#!/usr/bin/env python3
"""Makes an example proposal with run files as the European XFEL's DAQ writes them.

    make_runs.py ROOT

creates ROOT/SPB/202602/p900123 with five short runs: raw data for all, corrected
detector data ("proc") for three of them. The layout of the files comes from
EXtra-data's own writers for example files; the measurements are made up here.
Afterwards XFEL_DATA_ROOT=ROOT (EXTRA_DATA_DATA_ROOT for EXtra-data) finds them.
"""
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from extra_data.tests.mockdata import write_file
from extra_data.tests.mockdata.basler_camera import BaslerCamera
from extra_data.tests.mockdata.detectors import AGIPDModule
from extra_data.tests.mockdata.motor import Motor
from extra_data.tests.mockdata.xgm import XGM

PROPOSAL = 900123
INSTRUMENT, CYCLE = "SPB", "202602"

XGM_SOURCE = "SPB_XTD9_XGM/DOOCS/MAIN"
CAMERA_SOURCE = "SPB_IRU_CAM/CAM/SIDEMIC"
MOTOR_SOURCE = "SPB_IRU_INJ/MOTOR/Y"
DETECTOR_SOURCE = "SPB_DET_AGIPD1M-1/{kind}/{module}CH0"

TRAINS = 60
PULSES = 20
CAMERA_SHAPE = (120, 160)       # rows, columns
DETECTOR_MODULES = (0, 1)
DETECTOR_TRAINS = 8
FRAMES_PER_TRAIN = 2
TRAINS_PER_SECOND = 10
MINUTES_BETWEEN_RUNS = 7
NOW = int(time.time())          # once: the files of a run agree on its times


class PulseEnergyMonitor(XGM):
    """An XGM with the keys used here, some of which older EXtra-data's writer lacks."""
    needed_keys = [
        ("state", h5py.string_dtype(), ()),
        ("pulseEnergy/nummberOfBunches", "f4", ()),
    ]
    control_keys = list({key[0]: key for key in needed_keys + XGM.control_keys}.values())


@dataclass
class Conditions:
    """What the beam and the sample did during one run."""
    run: int
    pulse_energy: float         # microjoules; 0 = no beam
    motor_start: float          # millimetres
    motor_end: float
    spot: tuple                 # row, column on the camera
    corrected: bool             # has corrected detector data


RUNS = [
    Conditions(1, 820.0, 1.50, 1.50, (40, 50), corrected=True),
    Conditions(2, 1340.0, 1.75, 1.75, (52, 74), corrected=True),
    Conditions(3, 1290.0, 1.00, 3.00, (63, 96), corrected=False),   # a scan
    Conditions(4, 0.0, 1.75, 1.75, (0, 0), corrected=False),        # beam lost
    Conditions(5, 1475.0, 1.80, 1.80, (75, 118), corrected=True),
]


def main(root):
    proposal_dir = Path(root) / INSTRUMENT / CYCLE / f"p{PROPOSAL:06}"
    (proposal_dir / "usr" / "Shared").mkdir(parents=True, exist_ok=True)
    for conditions in RUNS:
        make_raw(proposal_dir, conditions)
        if conditions.corrected:
            make_proc(proposal_dir, conditions)
    print(proposal_dir)


def make_raw(proposal_dir, conditions):
    path = run_file(proposal_dir, "raw", conditions.run, "DA01")
    write(path, conditions, TRAINS, [
        PulseEnergyMonitor(XGM_SOURCE),
        Motor(MOTOR_SOURCE),
        BaslerCamera(CAMERA_SOURCE, sensor_size=CAMERA_SHAPE),
    ])
    with h5py.File(path, "r+") as f:
        noise = np.random.default_rng(conditions.run)
        energy = fill_xgm(f, conditions, noise)
        fill_motor(f, conditions, noise)
        fill_camera(f, conditions, energy, noise)

    # The detector's raw frames stay empty: only their structure is of interest here.
    for module in DETECTOR_MODULES:
        path = run_file(proposal_dir, "raw", conditions.run, f"AGIPD{module:02}")
        device = DETECTOR_SOURCE.format(kind="DET", module=module)
        write(path, conditions, DETECTOR_TRAINS,
              [AGIPDModule(device, frames_per_train=FRAMES_PER_TRAIN)])


def make_proc(proposal_dir, conditions):
    for module in DETECTOR_MODULES:
        path = run_file(proposal_dir, "proc", conditions.run, f"AGIPD{module:02}")
        device = DETECTOR_SOURCE.format(kind="CORR", module=module)
        raw_device = DETECTOR_SOURCE.format(kind="DET", module=module)
        write(path, conditions, DETECTOR_TRAINS, [
            AGIPDModule(device, raw=False, channel_name="output", legacy_name=raw_device,
                        frames_per_train=FRAMES_PER_TRAIN),
        ])
        with h5py.File(path, "r+") as f:
            frames = f[f"INSTRUMENT/{device}:output/image/data"]
            frames[:] = diffraction(conditions, module, len(frames))


def run_file(proposal_dir, data, run, aggregator):
    """Where the DAQ (raw) or the calibration (proc) puts a file of a run."""
    prefix = {"raw": "RAW", "proc": "CORR"}[data]
    run_dir = proposal_dir / data / f"r{run:04}"
    run_dir.mkdir(parents=True, exist_ok=True)
    return run_dir / f"{prefix}-R{run:04}-{aggregator}-S00000.h5"


def write(path, conditions, trains, devices):
    first_train = 2_300_000_000 + conditions.run * 5_000
    write_file(path, devices, ntrains=trains, firsttrain=first_train, chunksize=10,
               format_version="1.2")
    with h5py.File(path, "r+") as f:
        f["METADATA/proposalNumber"][:] = PROPOSAL
        f["INDEX/timestamp"][:trains] = train_times(conditions, trains)


def train_times(conditions, trains):
    """Nanoseconds since 1970; the last run ended a few minutes ago."""
    minutes_ago = MINUTES_BETWEEN_RUNS * (len(RUNS) + 1 - conditions.run)
    start = NOW - 60 * minutes_ago
    step = 1_000_000_000 // TRAINS_PER_SECOND
    return start * 1_000_000_000 + step * np.arange(trains, dtype="u8")


def fill_xgm(f, conditions, noise):
    """Energies of all pulses; returns the mean of each train."""
    drift = 1 + 0.05 * np.sin(np.linspace(0, 3 * np.pi, TRAINS))
    droop = np.linspace(1, 0.9, PULSES)
    energy = conditions.pulse_energy * np.outer(drift, droop)
    energy *= noise.normal(1, 0.08, energy.shape)
    f[f"INSTRUMENT/{XGM_SOURCE}:output/data/intensityTD"][:TRAINS, :PULSES] = energy

    state = b"ON" if conditions.pulse_energy else b"OFF"
    f[f"CONTROL/{XGM_SOURCE}/state/value"][:] = state
    f[f"RUN/{XGM_SOURCE}/state/value"][:] = state
    f[f"CONTROL/{XGM_SOURCE}/pulseEnergy/nummberOfBunches/value"][:] = PULSES
    return energy.mean(axis=1)


def fill_motor(f, conditions, noise):
    position = np.linspace(conditions.motor_start, conditions.motor_end, TRAINS)
    actual = f[f"CONTROL/{MOTOR_SOURCE}/actualPosition/value"]
    actual[:] = position + noise.normal(0, 2e-4, TRAINS)
    f[f"CONTROL/{MOTOR_SOURCE}/targetPosition/value"][:] = position


def fill_camera(f, conditions, energy, noise):
    """A round spot that trembles from train to train, above the camera's dark level."""
    centres = np.array(conditions.spot) + noise.normal(0, 1.5, (TRAINS, 2))
    rows, columns = np.indices(CAMERA_SHAPE)
    square = ((rows - centres[:, :1, None]) ** 2 + (columns - centres[:, 1:, None]) ** 2)
    spot = 0.6 * energy[:, None, None] * np.exp(-square / (2 * 8.0 ** 2))
    dark = noise.integers(60, 70, (TRAINS, *CAMERA_SHAPE))
    f[f"INSTRUMENT/{CAMERA_SOURCE}:daqOutput/data/image/pixels"][:TRAINS] = spot + dark


def diffraction(conditions, module, frames):
    """Rings around the beam, whose brightness follows the pulse energy (photons)."""
    noise = np.random.default_rng(100 * conditions.run + module)
    rows, columns = np.indices((512, 128))
    radius = np.hypot(rows - 256, columns + 20 + 128 * module)
    rings = np.cos(radius / 12) ** 2 * np.exp(-radius / 150)
    brightness = noise.normal(conditions.pulse_energy / 100, 0.5, (frames, 1, 1))
    return noise.poisson(rings * brightness.clip(0))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_runs.py ROOT")
    main(sys.argv[1])
