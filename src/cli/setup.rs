//! `nosso setup`: brings what finding by meaning needs, with a bar for each step.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::context::Context;
use super::exit::{Ended, Run};
use super::style::{self, paint};
use super::text;
use crate::embed;
use crate::error::Result;
use crate::setup::{self, Options, Outcome, Part, Progress, Report};

/// What `nosso setup` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Take the packages from this folder, without a network
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
}

/// Brings library and model; a second run changes nothing.
///
/// Runs without a runtime, so that Ctrl-C simply ends the program: what is half done is redone by the next run.
pub fn run(args: Args, context: &mut Context) -> Run {
    let report = bring(args.from, context)?;
    if context.out.json {
        let part =
            |part: &Part| serde_json::json!({"path": part.path, "brought": part.outcome == Outcome::Brought});
        context.out.document(&serde_json::json!({
            "library": part(&report.library), "model": part(&report.model),
        }))?;
        return Ok(Ended::Well);
    }
    for part in [&report.library, &report.model] {
        let text = match part.outcome {
            Outcome::Brought => context.words.setup_brought,
            Outcome::Present => context.words.setup_present,
        };
        let line = text::fill(text, &[&part.path.display()]);
        context.out.text(&format!("{} {line}\n", paint(style::GOOD, "✓")))?;
    }
    Ok(Ended::Well)
}

/// Brings what is missing. Blocks.
pub fn bring(from: Option<PathBuf>, context: &Context) -> Result<Report> {
    setup::run(&options(from, context), &Bars::new(context))
}

/// Where a set-up puts things, and from where it takes them.
pub fn options(from: Option<PathBuf>, context: &Context) -> Options {
    Options { paths: context.paths.clone(), from, python: None }
}

/// Where the runtime library may be, as the settings and `ORT_DYLIB_PATH` say.
pub fn libraries(setting: Option<&Path>, context: &Context) -> Vec<PathBuf> {
    embed::candidates(setting, std::env::var_os("ORT_DYLIB_PATH").as_deref(), &context.paths.libraries())
}

/// Draws a bar for each step, on a terminal only.
pub struct Bars {
    target: fn() -> ProgressDrawTarget,
    current: Mutex<ProgressBar>,
}

impl Bars {
    /// Bars on standard error, if that is a terminal.
    pub fn new(context: &Context) -> Self {
        let target = if context.out.live { ProgressDrawTarget::stderr } else { ProgressDrawTarget::hidden };
        Self { target, current: Mutex::new(ProgressBar::hidden()) }
    }

    fn current(&self) -> std::sync::MutexGuard<'_, ProgressBar> {
        // a bar is right or not whatever happened to the thread that drew it
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Bars {
    fn begin(&self, step: &str, total: Option<u64>) {
        let template = match total {
            Some(_) => "  {msg} {bar:24.cyan} {bytes}/{total_bytes} {eta}",
            None => "  {spinner} {msg}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(total, (self.target)());
        bar.set_style(style);
        bar.set_message(step.to_owned());
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        let before = std::mem::replace(&mut *self.current(), bar);
        before.finish_and_clear();
    }

    fn advance(&self, position: u64) {
        self.current().set_position(position);
    }

    fn finish(&self) {
        self.current().finish_and_clear();
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.current().finish_and_clear();
    }
}
