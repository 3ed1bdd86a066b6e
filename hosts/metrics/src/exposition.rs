//! The text formats of Prometheus (0.0.4) and OpenMetrics (1.0).

use crate::families::{Family, Kind, Names};
use crate::histogram::Histogram;
use std::fmt::{self, Write as _};

/// A format of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// That of Prometheus, version 0.0.4.
    #[default]
    Prometheus,
    /// OpenMetrics, version 1.0.
    OpenMetrics,
}

impl Format {
    /// Returns the format that a collector asks for with its header `Accept`.
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// Returns the value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A text that is being written.
#[derive(Debug)]
pub struct Exposition {
    text: String,
    format: Format,
    names: Names,
}

/// Writes the samples of a family.
#[derive(Debug)]
pub struct Samples<'e> {
    text: &'e mut String,
    name: String,
    /// Labels that each sample has.
    labels: String,
}

impl Exposition {
    /// Begins a text.
    pub fn new(format: Format, names: Names) -> Self {
        Self { text: String::new(), format, names }
    }

    /// Begins a family.
    pub fn family(&mut self, family: &Family) -> Samples<'_> {
        let mut labels = String::new();
        let name = match (&self.names, family.contract) {
            (Names::Coraza { namespace, driver_type }, Some(name)) => {
                let own = [("engine", "secrule"), ("namespace", namespace), ("driver_type", driver_type)];
                own.into_iter().for_each(|(name, value)| add_label(&mut labels, name, value));
                name
            }
            _ => family.name,
        };
        let suffix = family.kind.suffix();
        let (described, kind) = match self.format {
            Format::OpenMetrics => (name.to_owned(), family.kind),
            // It has no such kind, and no names without the ends.
            Format::Prometheus => (format!("{name}{suffix}"), if family.kind == Kind::Info { Kind::Gauge } else { family.kind }),
        };
        write(&mut self.text, format_args!("# HELP {described} {}\n# TYPE {described} {kind}\n", family.help));
        if let (Format::OpenMetrics, Some(unit)) = (self.format, family.unit) {
            write(&mut self.text, format_args!("# UNIT {described} {unit}\n"));
        }
        Samples { text: &mut self.text, name: format!("{name}{suffix}"), labels }
    }

    /// Ends the text.
    pub fn end(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

impl Samples<'_> {
    /// Writes a sample.
    pub fn value(&mut self, labels: &[(&str, &str)], value: impl fmt::Display) {
        self.sample("", labels, None, value);
    }

    /// Writes the samples of a histogram.
    pub fn histogram(&mut self, labels: &[(&str, &str)], histogram: &Histogram) {
        let mut count = 0;
        for (bound, up_to) in histogram.ranges() {
            let bound = bound
                .map_or_else(|| "+Inf".to_owned(), |bound| if bound.fract() == 0.0 { format!("{bound:.1}") } else { bound.to_string() });
            self.sample("_bucket", labels, Some(&bound), up_to);
            count = up_to;
        }
        self.sample("_sum", labels, None, histogram.sum());
        self.sample("_count", labels, None, count);
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<&str>, value: impl fmt::Display) {
        let mut all = self.labels.clone();
        let bound = bound.map(|bound| ("le", bound));
        labels.iter().copied().chain(bound).for_each(|(name, value)| add_label(&mut all, name, value));
        let (open, close) = if all.is_empty() { ("", "") } else { ("{", "}") };
        write(self.text, format_args!("{}{suffix}{open}{all}{close} {value}\n", self.name));
    }
}

/// Adds a label to others.
fn add_label(labels: &mut String, name: &str, value: &str) {
    let comma = if labels.is_empty() { "" } else { "," };
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    write(labels, format_args!("{comma}{name}=\"{value}\""));
}

fn write(text: &mut String, arguments: fmt::Arguments<'_>) {
    // Writing to a text does not fail.
    let _ = text.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::{PHASE_TIME, REQUESTS, RULES_INFO};

    fn text(format: Format, names: Names) -> String {
        let mut exposition = Exposition::new(format, names);
        exposition.family(&REQUESTS).value(&[("outcome", "a\"b\\c\nd")], 7);
        exposition.family(&RULES_INFO).value(&[], 1);
        let histogram = Histogram::new(&[500_000, 2_000_000_000], 1_000_000_000);
        histogram.observe(1_000_000);
        exposition.family(&PHASE_TIME).histogram(&[("phase", "1")], &histogram);
        exposition.end()
    }

    #[test]
    fn both_formats_have_their_lines() {
        let samples = "secrule_phase_duration_seconds_bucket{phase=\"1\",le=\"0.0005\"} 0\nsecrule_phase_duration_seconds_bucket{phase=\"1\",le=\"2.0\"} 1\n\
            secrule_phase_duration_seconds_bucket{phase=\"1\",le=\"+Inf\"} 1\nsecrule_phase_duration_seconds_sum{phase=\"1\"} 0.001\n\
            secrule_phase_duration_seconds_count{phase=\"1\"} 1\n";
        let prometheus = text(Format::Prometheus, Names::Secrule);
        assert!(prometheus.starts_with("# HELP secrule_requests_total Exchanges"), "{prometheus}");
        assert!(
            prometheus.contains("# TYPE secrule_requests_total counter\nsecrule_requests_total{outcome=\"a\\\"b\\\\c\\nd\"} 7\n"),
            "{prometheus}"
        );
        assert!(
            prometheus.contains("# TYPE secrule_rules_info gauge\nsecrule_rules_info 1\n") && prometheus.ends_with(samples),
            "{prometheus}"
        );
        let open = text(Format::OpenMetrics, Names::Secrule);
        assert!(open.contains("# TYPE secrule_requests counter\nsecrule_requests_total{"), "{open}");
        assert!(open.contains("# TYPE secrule_rules info\nsecrule_rules_info 1\n"), "{open}");
        assert!(open.contains("# UNIT secrule_phase_duration_seconds seconds\n") && open.ends_with(&format!("{samples}# EOF\n")), "{open}");
    }

    #[test]
    fn the_contract_has_names_and_labels_of_its_own() {
        let names = Names::Coraza { namespace: "shop".to_owned(), driver_type: "proxy".to_owned() };
        let text = text(Format::Prometheus, names);
        let labels = "engine=\"secrule\",namespace=\"shop\",driver_type=\"proxy\"";
        assert!(text.contains(&format!("coraza_waf_requests_total{{{labels},outcome=")), "{text}");
        assert!(text.contains("secrule_rules_info 1\n"), "{text}");
    }

    #[test]
    fn a_collector_says_which_format_it_reads() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5";
        assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
        assert_eq!(Format::accepted("text/plain"), Format::Prometheus);
    }
}
