//! The table that `cargo bench` prints, a row as soon as it is measured.

use std::io::Write;

/// What a figure should be.
#[derive(Clone, Copy)]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// Told for comparison.
    None,
}

pub struct Table {
    section: &'static str,
    measured: usize,
    missed: usize,
}

impl Table {
    pub fn begin() -> Self {
        let table = Self { section: "", measured: 0, missed: 0 };
        table.line(&row("", "what", "measured", "target", "", "by what"));
        table
    }

    pub fn section(&mut self, name: &'static str) {
        self.section = name;
    }

    /// One figure; `by` says what it was measured by, in absolute terms.
    pub fn row(&mut self, what: &str, value: f64, unit: &str, target: Target, by: &str) {
        let (wanted, met) = match target {
            Target::AtMost(most) => (format!("≤ {}{unit}", short(most)), Some(value <= most)),
            Target::AtLeast(least) => (format!("≥ {}{unit}", short(least)), Some(value >= least)),
            Target::None => (String::new(), None),
        };
        let verdict = match met {
            Some(true) => "ok",
            Some(false) => "MISSED",
            None => "",
        };
        self.measured += usize::from(met.is_some());
        self.missed += usize::from(met == Some(false));
        self.line(&row(self.section, what, &format!("{}{unit}", short(value)), &wanted, verdict, by));
    }

    pub fn not_measured(&mut self, why: &str) {
        self.missed += 1;
        self.line(&format!("{:<10} NOT MEASURED: {why}", self.section));
    }

    pub fn end(self) {
        let Self { measured, missed, .. } = self;
        self.line(&format!("{measured} targets, {missed} missed or not measured"));
    }

    fn line(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // nobody reads it: then nobody is told
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

fn row(section: &str, what: &str, value: &str, target: &str, verdict: &str, by: &str) -> String {
    format!("{section:<10} {what:<44} {value:>9}  {target:<9} {verdict:<7} {by}")
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 0.995 || value == 0.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}
