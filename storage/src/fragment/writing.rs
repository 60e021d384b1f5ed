//! Writing a fragment, one variable at a time: what is saved survives the job.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hdf5_metno::{File, Group};
use runledger_context::run::RunId;
use runledger_context::value::{Array, Cell, Data, Failure, Outcome, Summary};
use runledger_steps::{Step, reached};

use super::order;
use super::writer;
use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::hdf5::{self, OBJTYPE, words};
use crate::pictures::{self, Drawn};
use crate::{results_dir, sharing};

pub(super) const WRITING: &str = ".writing.h5";
/// The groups beside the variables' own.
pub(crate) const SUMMARIES: &str = ".reduced";
pub(crate) const PREVIEWS: &str = ".preview";
pub(crate) const ERRORS: &str = ".errors";

/// On `/` while a fragment is written: the variable that is being evaluated.
pub(super) const RUNNING: &str = "running";

/// A fragment while it is written.
pub struct FragmentWriter {
    file: File,
    folder: Folder,
    path: PathBuf,
    /// The next free number of a NetCDF dimension.
    next_dimension: i32,
    /// The variable that is noted as being evaluated.
    running: Option<String>,
}

/// Where the fragment of a job is while it is written; `token` is what tells it from other jobs' fragments.
pub fn writing_path(database_dir: &Path, run: RunId, token: &str) -> PathBuf {
    results_dir::path(database_dir).join(format!("{}.{token}{WRITING}", results_dir::stem(run)))
}

impl FragmentWriter {
    /// Begins a fragment. `provenance` says what made it: `context.py`.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Results`], naming the file.
    pub fn create(database_dir: &Path, run: RunId, token: &str, provenance: &str) -> Result<Self> {
        let folder = results_dir::made(database_dir)?;
        let path = writing_path(database_dir, run, token);
        let way = folder.at(path.file_name().unwrap_or_default());
        let begin = || -> hdf5::Outcome<File> {
            let file = hdf5::create(&way)?;
            hdf5::set_text(&file, "provenance", provenance)?;
            hdf5::set_text(&file, writer::ATTRIBUTE, &writer::this())?;
            for group in [SUMMARIES, PREVIEWS, ERRORS] {
                file.create_group(group).map_err(words)?;
            }
            // Whoever finds it can tell whose it is.
            file.flush().map_err(words)?;
            Ok(file)
        };
        let begun = begin().map_err(|reason| Error::results(&path, folder.words(&reason)));
        // For whoever merges it.
        let shared = begun.and_then(|file| {
            let shared = sharing::share_file(&way).map(|()| file);
            shared.map_err(|source| file_error(&path, source))
        });
        reached(Step::FragmentBegun);
        match shared {
            Ok(file) => Ok(Self {
                file,
                folder,
                path,
                next_dimension: 0,
                running: None,
            }),
            Err(why) => {
                // What there is of it has nothing in it.
                let _ = std::fs::remove_file(&way);
                Err(why)
            }
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A variable's evaluation begins: should the job be killed, this is the one that it was about.
    ///
    /// # Errors
    /// [`Error::Results`]: the file cannot be written any more.
    pub fn begin(&mut self, name: &str) -> Result<()> {
        let noted =
            forget_running(&self.file).and_then(|()| hdf5::set_text(&self.file, RUNNING, name));
        noted.map_err(|reason| Error::results(&self.path, reason))?;
        self.running = Some(name.to_owned());
        self.flush()
    }

    /// A job that dies now was not about this variable any more.
    fn has_ended(&mut self, name: &str) -> Result<()> {
        if self.running.take_if(|running| running == name).is_some() {
            let forgotten = forget_running(&self.file);
            forgotten.map_err(|reason| Error::results(&self.path, reason))?;
        }
        Ok(())
    }

    /// Saves what became of a variable; once it returns, a job that dies does not take it along.
    ///
    /// # Errors
    /// [`Error::NotStorable`]: HDF5 cannot hold it; nothing of the variable is in the file then.
    /// [`Error::Results`]: the file cannot be written any more.
    pub fn save(&mut self, name: &str, outcome: &Outcome) -> Result<()> {
        // Saved again, it is new.
        self.forget(name);
        let saved = match outcome {
            Outcome::Cell(cell) => self.save_cell(name, cell),
            Outcome::Failed(failure) => save_failure(&self.file, name, failure),
        };
        if let Err(reason) = saved {
            self.forget(name);
            return Err(match hdf5::is_of_the_system(&reason) {
                true => Error::results(&self.path, reason),
                false => Error::NotStorable {
                    name: name.into(),
                    reason,
                },
            });
        }
        self.has_ended(name)?;
        self.flush()?;
        reached(Step::ResultSaved);
        Ok(())
    }

    /// Saves when the run began, in seconds since 1970.
    ///
    /// # Errors
    /// As for [`save`](Self::save).
    pub fn save_start_time(&mut self, seconds: f64) -> Result<()> {
        use runledger_context::value::Dtype;
        let array = Array {
            dtype: Dtype::Plain("<f8".into()),
            shape: Vec::new(),
            bytes: seconds.to_le_bytes().to_vec().into(),
        };
        let cell = Cell {
            data: Some(Data::Array(array.clone())),
            summary: Some(Summary::Array(array)),
            ..Cell::default()
        };
        self.save("start_time", &Outcome::Cell(Box::new(cell)))
    }

    fn save_cell(&mut self, name: &str, cell: &Cell) -> hdf5::Outcome {
        if let Some(data) = &cell.data {
            self.save_data(name, data)?;
        }
        if let Some(preview) = &cell.preview {
            self.save_preview(name, preview)?;
        }
        match &cell.summary {
            Some(summary) => self.save_summary(name, summary, cell),
            None => Ok(()),
        }
    }

    /// A summary that HDF5 cannot hold costs itself only: a text takes its place.
    fn save_summary(&self, name: &str, summary: &Summary, cell: &Cell) -> hdf5::Outcome {
        let Err(reason) = save_summary(&self.file, name, summary, cell) else {
            return Ok(());
        };
        if hdf5::is_of_the_system(&reason) {
            return Err(reason);
        }
        tracing::warn!("no summary of {name} could be stored: {reason}");
        let group = self.file.group(SUMMARIES).map_err(words)?;
        if group.link_exists(name) {
            group.unlink(name).map_err(words)?;
        }
        hdf5::write_text(&group, name, "<summary error>")
    }

    fn save_data(&mut self, name: &str, data: &Data) -> hdf5::Outcome {
        if let Data::Netcdf(object) = data {
            self.next_dimension =
                hdf5::write_netcdf(&self.file, name, object, self.next_dimension)?;
            return Ok(());
        }
        let group = self.file.create_group(name).map_err(words)?;
        write_plain(&group, "data", data)?;
        match objtype(data) {
            Some(word) => hdf5::set_text(&group, OBJTYPE, word),
            None => Ok(()),
        }
    }

    fn save_preview(&mut self, name: &str, preview: &Data) -> hdf5::Outcome {
        let previews = self.file.group(PREVIEWS).map_err(words)?;
        if let Data::Netcdf(object) = preview {
            self.next_dimension = hdf5::write_netcdf(&previews, name, object, self.next_dimension)?;
            return Ok(());
        }
        write_plain(&previews, name, preview)?;
        match objtype(preview) {
            Some(word) => hdf5::set_text(&*previews.dataset(name).map_err(words)?, OBJTYPE, word),
            None => Ok(()),
        }
    }

    /// Takes out what there is of a variable.
    fn forget(&mut self, name: &str) {
        for group in ["/", SUMMARIES, PREVIEWS, ERRORS] {
            if let Ok(group) = self.file.group(group)
                && group.link_exists(name)
            {
                // If even that fails, the file cannot be completed either.
                let _ = group.unlink(name);
            }
        }
    }

    /// Hands everything to the operating system, so that only the machine's own end can lose it.
    fn flush(&self) -> Result<()> {
        self.file
            .flush()
            .map_err(|error| Error::results(&self.path, words(error)))
    }

    /// Completes the fragment; returns where it is then.
    ///
    /// # Errors
    /// [`Error::Results`], [`Error::File`]; nothing is left then.
    pub fn finish(self) -> Result<PathBuf> {
        self.complete(complete)
    }

    /// Completes a fragment that stands for an older one, and is as old as that; returns where it is then.
    ///
    /// # Errors
    /// [`Error::Results`], [`Error::File`]; nothing is left then.
    pub fn finish_as_old_as(self, modified: SystemTime) -> Result<PathBuf> {
        self.complete(|way, place| complete_as_old_as(way, place, modified))
    }

    fn complete(self, complete: impl FnOnce(&Path, &Path) -> Result<()>) -> Result<PathBuf> {
        let Self {
            file, folder, path, ..
        } = self;
        let way = folder.at(path.file_name().unwrap_or_default());
        let place = ready_path(&way);
        let finished = close(file)
            .map_err(|reason| Error::results(&way, reason))
            .and_then(|()| complete(&way, &place));
        if finished.is_err() {
            // After an `fsync` that failed the system may have forgotten what it could not write, and a later one that
            // succeeds says nothing about it: nobody is to believe this file.
            let _ = std::fs::remove_file(&way);
        }
        finished.map_err(|error| folder.naming(error))?;
        Ok(folder.shown(&place))
    }

    /// Gives it up: nothing is left.
    pub fn discard(self) {
        let Self {
            file, folder, path, ..
        } = self;
        drop(file);
        // A file that cannot even be removed is found by whoever looks after the disk.
        let _ = std::fs::remove_file(folder.at(path.file_name().unwrap_or_default()));
    }
}

/// Closes a fragment to which nothing is added any more.
pub(super) fn close(file: File) -> hdf5::Outcome {
    forget_notes(&file)?;
    file.flush().and_then(|()| file.close()).map_err(words)
}

/// Where a fragment is once it is complete.
pub fn ready_path(writing: &Path) -> PathBuf {
    let name = writing.to_string_lossy();
    PathBuf::from(format!(
        "{}{}",
        name.strip_suffix(WRITING).unwrap_or(&name),
        super::READY
    ))
}

fn forget_running(file: &File) -> hdf5::Outcome {
    forget_note(file, RUNNING)
}

/// What is of interest only while it is written.
pub(super) fn forget_notes(file: &File) -> hdf5::Outcome {
    forget_running(file)?;
    forget_note(file, writer::ATTRIBUTE)
}

fn forget_note(file: &File, name: &str) -> hdf5::Outcome {
    match file.attr(name) {
        Ok(_) => file.delete_attr(name).map_err(words),
        Err(_) => Ok(()),
    }
}

/// Gives a fragment that is written to the end its name, as the newest of its run.
pub(super) fn complete(draft: &Path, place: &Path) -> Result<()> {
    order::put_last(draft).map_err(|source| file_error(draft, source))?;
    results_dir::settle(draft, place)
}

/// The same, as old as this: before it has its name, because from then on its age counts.
pub(super) fn complete_as_old_as(draft: &Path, place: &Path, modified: SystemTime) -> Result<()> {
    order::be_of(draft, modified).map_err(|source| file_error(draft, source))?;
    results_dir::settle(draft, place)
}

pub(super) fn file_error(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        path: path.into(),
        source,
    }
}

fn write_plain(group: &Group, path: &str, data: &Data) -> hdf5::Outcome {
    match data {
        Data::Text(text) => hdf5::write_text(group, path, text),
        Data::Texts(texts) => hdf5::write_texts(group, path, texts),
        Data::Array(array) | Data::Image(array) => hdf5::write_array(group, path, array),
        Data::Encoded { bytes, .. } => hdf5::write_bytes(group, path, bytes),
        Data::Netcdf(_) => Err("an xarray object is no plain dataset".into()),
    }
}

fn objtype(data: &Data) -> Option<&str> {
    match data {
        Data::Image(_) => Some("image"),
        Data::Encoded { objtype, .. } => Some(objtype),
        _ => None,
    }
}

fn save_summary(file: &File, name: &str, summary: &Summary, cell: &Cell) -> hdf5::Outcome {
    let group = file.group(SUMMARIES).map_err(words)?;
    let kind = match pictures::draw(summary) {
        Drawn::Text(text) => hdf5::write_text(&group, name, &text).map(|()| None),
        Drawn::Array(array) => hdf5::write_array(&group, name, &array).map(|()| None),
        Drawn::Trendline(array) => {
            hdf5::write_array(&group, name, &array).map(|()| Some("trendline"))
        }
        Drawn::Png(bytes) => hdf5::write_bytes(&group, name, &bytes).map(|()| None),
    }?;
    let dataset = group.dataset(name).map_err(words)?;
    for (attribute, text) in [
        ("summary_type", kind),
        ("summary_method", cell.summary_method.as_deref()),
        ("units", cell.units.as_deref()),
    ] {
        if let Some(text) = text {
            // Shown, never compared: a NUL in it may go.
            hdf5::set_text(&dataset, attribute, &text.replace('\0', ""))?;
        }
    }
    if let Some(spread) = cell.spread_of.as_ref().and_then(pictures::spread) {
        hdf5::set_f64(&dataset, "max_diff", spread)?;
    }
    if let Some(bold) = cell.bold {
        hdf5::set_bool(&dataset, "bold", bold)?;
    }
    match cell.background {
        Some(colour) => hdf5::set_array(&dataset, "background", "|u1", colour.len(), &colour),
        None => Ok(()),
    }
}

pub(super) fn save_failure(file: &File, name: &str, failure: &Failure) -> hdf5::Outcome {
    // A message is shown, never compared: a NUL in it may go.
    let group = file.group(ERRORS).map_err(words)?;
    hdf5::write_text(&group, name, &failure.message.replace('\0', "\\0"))?;
    hdf5::set_text(
        &*group.dataset(name).map_err(words)?,
        "type",
        &failure.class.replace('\0', ""),
    )
}
