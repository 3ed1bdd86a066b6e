//! Spans of exchanges, sent to a collector of OpenTelemetry: OTLP over HTTP, as protobuf.
//!
//! A thread of its own collects spans and sends them; no request waits for it. Spans are dropped while the collector is too slow.

use crate::Failure;
use async_trait::async_trait;
use bytes::Bytes;
use clap::Args;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::env;
use std::time::Duration;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, registry};
use ureq::Agent;

/// The name of this software, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` has another.
const SERVICE: &str = "secrule";

/// Path of spans below an endpoint, by the specification of OTLP.
const PATH: &str = "/v1/traces";

/// Maximum time for one message to the collector.
const SEND_LIMIT: Duration = Duration::from_secs(10);

/// Variables of the environment, by which an operator may ask for the export as well.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/// Options of the export.
#[derive(Args, Debug)]
pub struct OtelOptions {
    /// A collector of OpenTelemetry that gets a span for each request, with an event for each match: OTLP over HTTP, such as http://127.0.0.1:4318
    ///
    /// Spans go to /v1/traces below it. Without the option the variables OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_TRACES_ENDPOINT name it.
    /// OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and OTEL_BSP_… have their usual meaning.
    #[arg(long, value_name = "URL", help_heading = "Tracing")]
    otel_endpoint: Option<String>,
}

/// The export. What is left is sent when it is dropped.
pub struct Export(SdkTracerProvider);

/// Sends messages from the thread of the export, which may wait.
#[derive(Debug)]
struct Sender(Agent);

impl OtelOptions {
    /// Begins the export, if it is asked for.
    pub fn start(&self) -> Result<Option<Export>, Failure> {
        if self.otel_endpoint.is_none() && ENDPOINTS.iter().all(|name| env::var_os(name).is_none()) {
            return Ok(None);
        }
        let agent = Agent::config_builder().timeout_global(Some(SEND_LIMIT)).http_status_as_error(false).build();
        let exporter = SpanExporter::builder().with_http().with_http_client(Sender(agent.into())).with_protocol(Protocol::HttpBinary);
        let exporter = match &self.otel_endpoint {
            Some(endpoint) => exporter.with_endpoint(format!("{}{PATH}", endpoint.trim_end_matches('/'))),
            None => exporter,
        };
        let exporter =
            exporter.build().map_err(|error| Failure::Reason(format!("spans cannot be exported: {error}; see --otel-endpoint")))?;
        let resource = Resource::builder();
        let resource = if is_named() { resource } else { resource.with_service_name(SERVICE) };
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
        // The calls within an exchange are spans of a lower level.
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer(SERVICE)).with_filter(LevelFilter::INFO);
        registry().with(layer).try_init().map_err(|error| Failure::Reason(error.to_string()))?;
        Ok(Some(Export(provider)))
    }
}

/// Returns `true` if the environment names the service.
fn is_named() -> bool {
    let has_name = |attributes: String| attributes.split(',').any(|attribute| attribute.trim_start().starts_with("service.name="));
    env::var_os("OTEL_SERVICE_NAME").is_some() || env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(has_name)
}

impl Drop for Export {
    fn drop(&mut self) {
        // A collector that is not there gets nothing.
        let _ = self.0.shutdown();
    }
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let mut response = self.0.run(http::Request::from_parts(head, body.to_vec()))?;
        let body = Bytes::from(response.body_mut().read_to_vec()?);
        Ok(response.map(|_| body))
    }
}
